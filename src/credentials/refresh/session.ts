/**
 * Session from an identity's source, for all commands that vend credentials.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { type Identity, type IdentitySource, openIdentity } from "../../keystore/open_identity.ts";
import type { KeystoreRegistry } from "../../keystore/registry.ts";
import type { KeystoreContext } from "../../keystore/types.ts";
import {
  createSession,
  type CreateSessionDeps,
  type SessionCredentials,
  type SessionRequest,
} from "../../rolesanywhere/create_session.ts";
import type { Arn } from "../../rolesanywhere/arn.ts";
import { CALL_LIMITS } from "../../rolesanywhere/service_call.ts";
import type { RoleChain } from "../../sts/role_chain.ts";
import type { Certificate } from "../../x509/certificate.ts";
import { formatTime } from "../format_time.ts";

/** Tolerated time until a certificate becomes valid, because clocks differ. */
const CLOCK_TOLERANCE = 5 * 60_000;

/** Session to vend: that of CreateSession, or that of the last role of a chain. */
export interface VendedSession extends SessionRequest {
  /** Roles to assume with the session of CreateSession. */
  readonly chain?: RoleChain;
}

/** Returns the role whose session is vended. */
export function vendedRole({ arns, chain }: VendedSession): Arn {
  return chain?.roles.at(-1) ?? arns.role;
}

/**
 * Requests a session and assumes the roles of the chain. Each call starts with a new session. A chain
 * must end in about the time of one call: parallel runs wait for its result.
 */
async function requestSession(
  request: VendedSession,
  identity: Identity,
  deps: CreateSessionDeps,
): Promise<SessionCredentials> {
  const deadline = chainDeadline(deps);
  const session = await createSession(request, identity, deps);
  const { certificate } = identity;
  return await assumeChain(request, session, { certificate, deadline }, deps);
}

/** Returns the time at which a chain that begins now must end. */
export function chainDeadline({ monotonic }: CreateSessionDeps): number {
  return monotonic() + CALL_LIMITS.total;
}

/** Assumes the roles of the chain with the session of CreateSession; returns that session without one. */
export async function assumeChain(
  { chain }: VendedSession,
  session: SessionCredentials,
  { certificate, deadline }: { readonly certificate: Certificate; readonly deadline: number },
  deps: CreateSessionDeps,
): Promise<SessionCredentials> {
  if (!chain) return session;
  const { assumeRoles } = await import("../../sts/assume_role.ts");
  const defaultSessionName = serialNumberName(certificate);
  return await assumeRoles(chain, session, { defaultSessionName, deadline }, deps);
}

/** Returns the serial number in hexadecimal digits, as IAM Roles Anywhere names its own sessions. */
function serialNumberName({ serialNumber }: Certificate): string {
  const digits = serialNumber.toString(16);
  return digits.padStart(digits.length + digits.length % 2, "0").slice(-MAX_SESSION_NAME);
}

/** Maximum length of a session's name. */
const MAX_SESSION_NAME = 64;

/** Opens the identity again (files may have changed), requests a session, and closes the identity. */
export async function vendCredentials(
  source: IdentitySource,
  request: VendedSession,
  registry: KeystoreRegistry,
  context: KeystoreContext,
  deps: CreateSessionDeps,
): Promise<SessionCredentials> {
  await using identity = await openIdentity(source, registry, context);
  checkValidity(identity.certificate, labelOf(source), deps.now());
  return await requestSession(request, identity, deps);
}

/** Returns the name of a certificate's source for messages. */
export function labelOf(source: IdentitySource): string {
  return (source.certificate ?? source.privateKey)?.displayName ?? "";
}

/**
 * Throws `certificate-validity` for a certificate that is not valid at `now`. Throws
 * `certificate-format` for a serial number that the service does not accept.
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
