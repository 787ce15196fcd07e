/**
 * From an identity's source to temporary credentials: what every vending command does each time.
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

/** A certificate that begins to be valid this far ahead is taken for a clock difference. */
const CLOCK_TOLERANCE = 5 * 60_000;

/** Opens the identity anew (files may have changed), asks for a session, and closes the identity. */
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

/** How messages name the place of a certificate. */
export function labelOf(source: IdentitySource): string {
  return (source.certificate ?? source.privateKey)?.displayName ?? "";
}

/**
 * Refuses a certificate outside its validity at `now`: `certificate-validity`; and one whose serial
 * number the service cannot take: `certificate-format`.
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

/** A time as SDKs read it: `YYYY-MM-DDThh:mm:ssZ`. */
export function formatTime(time: Date): string {
  return time.toISOString().replace(/\.\d{3}Z$/, "Z");
}
