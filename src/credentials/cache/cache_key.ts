/**
 * What tells one cached session from another.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import type { SessionRequest } from "../../rolesanywhere/create_session.ts";

/** Everything that shapes a session. */
export interface CachedSession {
  readonly request: SessionRequest;
  /** The bytes that the certificate stands in. */
  readonly certificate: Uint8Array<ArrayBuffer>;
  /** Whether the service's certificate is checked: who does not, gets nothing to those who do. */
  readonly verifyServer: boolean;
}

/** Changes with the form of what is hashed or stored, so that versions do not read each other's. */
const FORM = "aws_signing_helper session 1";

/** The key of a session: 64 hexadecimal digits, different when anything of it differs. */
export async function cacheKey(session: CachedSession): Promise<string> {
  const { request, certificate, verifyServer } = session;
  const parts = [
    FORM,
    await sha256(certificate),
    request.arns.role.text,
    request.arns.profile.text,
    request.arns.trustAnchor.text,
    request.durationSeconds,
    request.roleSessionName ?? null,
    request.region,
    request.endpoint.href,
    verifyServer,
  ];
  return await sha256(new TextEncoder().encode(JSON.stringify(parts)));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return encodeHex(await crypto.subtle.digest("SHA-256", bytes));
}
