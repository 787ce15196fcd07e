/**
 * Key of a cached session.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { concatenate } from "../../bytes.ts";
import type { VendedSession } from "../refresh/session.ts";

/** Everything that distinguishes sessions. */
export interface CacheKeyInput {
  readonly request: VendedSession;
  /** Bytes of the certificate's source. */
  readonly certificate: Uint8Array<ArrayBuffer>;
  /** Part of the key, so that sessions fetched with --no-verify-ssl are not reused by other runs. */
  readonly verifyServer: boolean;
}

/** Version of the hashed and stored form, so that versions of the program do not share sessions. */
const FORM = "aws_signing_helper session 2";

/** Returns the key of a session, 64 hexadecimal digits; any difference changes it. */
export async function cacheKey(session: CacheKeyInput): Promise<string> {
  const { request, certificate, verifyServer } = session;
  const parts = [
    FORM,
    request.arns.role.text,
    request.arns.profile.text,
    request.arns.trustAnchor.text,
    request.durationSeconds,
    request.roleSessionName ?? null,
    request.region,
    request.endpoint.href,
    verifyServer,
    ...(request.chain ? [chainParts(request.chain)] : []),
  ];
  // One hash of both: JSON has no zero byte, so the certificate begins after the first one.
  const hashed = concatenate([new TextEncoder().encode(`${JSON.stringify(parts)}\0`), certificate]);
  try {
    return encodeHex(await crypto.subtle.digest("SHA-256", hashed));
  } finally {
    hashed.fill(0); // the certificate's source may also contain a private key
  }
}

function chainParts(chain: NonNullable<VendedSession["chain"]>): unknown[] {
  return [
    chain.roles.map(({ text }) => text),
    chain.sessionName ?? null,
    chain.externalId ?? null,
    chain.durationSeconds,
    chain.region,
    chain.endpoint.href,
  ];
}
