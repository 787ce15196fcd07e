import type { Certificate } from "./certificate.ts";
import { sameBytes } from "./public_key.ts";

/** Returns the issuers of a certificate without a self-signed root at their end. */
export function withoutRoot(issuers: readonly Certificate[]): readonly Certificate[] {
  const last = issuers.at(-1);
  return last && sameBytes(last.subject, last.issuer) ? issuers.slice(0, -1) : issuers;
}
