/**
 * Session from an identity's source, for all commands that vend credentials.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { type IdentitySource, openIdentity } from "../../keystore/open_identity.ts";
import type { KeystoreRegistry } from "../../keystore/registry.ts";
import type { KeystoreContext } from "../../keystore/types.ts";
import {
  createSession,
  type CreateSessionDeps,
  type SessionCredentials,
  type SessionRequest,
} from "../../rolesanywhere/create_session.ts";
import type { Certificate } from "../../x509/certificate.ts";

/** Tolerated time until a certificate becomes valid, because clocks differ. */
const CLOCK_TOLERANCE = 5 * 60_000;

/** Opens the identity again (files may have changed), requests a session, and closes the identity. */
export async function vendCredentials(
  source: IdentitySource,
  request: SessionRequest,
  registry: KeystoreRegistry,
  context: KeystoreContext,
  deps: CreateSessionDeps,
): Promise<SessionCredentials> {
  await using identity = await openIdentity(source, registry, context);
  checkValidity(identity.certificate, labelOf(source), deps.now());
  return await createSession(request, identity, deps);
}

/** Returns the name of a certificate's source for messages. */
export function labelOf(source: IdentitySource): string {
  return (source.certificate ?? source.privateKey)?.displayName ?? "";
}

/**
 * Throws `certificate-validity` for a certificate that is not valid at `now`, and `certificate-format` for
 * a serial number that the service does not accept.
 */
export function checkValidity(certificate: Certificate, label: string, now: Date): void {
  if (certificate.serialNumber < 0n) {
    throw new HelperError(
      "certificate-format",
      `the certificate in ${label} has a negative serial number, which X.509 forbids; ` +
        "have a new one issued",
    );
  }
  if (now > certificate.notAfter) {
    throw new HelperError(
      "certificate-validity",
      `the certificate in ${label} expired at ${formatTime(certificate.notAfter)}; renew it`,
    );
  }
  if (now.getTime() + CLOCK_TOLERANCE < certificate.notBefore.getTime()) {
    throw new HelperError(
      "certificate-validity",
      `the certificate in ${label} is not valid before ${formatTime(certificate.notBefore)}; ` +
        "check this machine's clock",
    );
  }
}

/** Formats a time as SDKs read it: `YYYY-MM-DDThh:mm:ssZ`. */
export function formatTime(time: Date): string {
  return time.toISOString().replace(/\.\d{3}Z$/, "Z");
}
