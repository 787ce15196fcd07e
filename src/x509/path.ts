/**
 * Certification paths (RFC 5280 section 6.1): selects the certificates that can be on a path from an
 * end-entity certificate.
 *
 * @module
 */
import type { Certificate } from "./certificate.ts";
import { mayHaveIssued } from "./chain.ts";
import { checkIssuance } from "./verify_issuer.ts";
import { sameBytes } from "./public_key.ts";

/** Certificates to send with an end-entity certificate, and the others. */
export interface Chain {
  /** Issuers, nearest first. Has every candidate if an issuer was renewed or cross-signed. */
  readonly issuers: readonly Certificate[];
  /** Certificates that are not on a path from the end-entity certificate, in their order. */
  readonly leftOut: readonly Certificate[];
}

/** Maximum number of verified signatures once there are more than `enough` issuers. */
const MAX_VERIFICATIONS = 2_000;

/**
 * Returns the certificates of `found` that can be on a path from `endEntity`. They are authorities
 * whose name, key identifier and key match the certificate below. Includes an issuer with an
 * unsupported algorithm if name and key identifier match, because the service may support it.
 *
 * Neither list has duplicates or `endEntity`. With more than `enough` issuers it stops after
 * {@link MAX_VERIFICATIONS}: many certificates with few names would need a verification per pair.
 */
export async function buildChain(
  endEntity: Certificate,
  found: readonly Certificate[],
  enough: number,
): Promise<Chain> {
  let rest = removeDuplicates([endEntity, ...found]).slice(1);
  const issuers: Certificate[] = [];
  let verifications = 0;
  const hasIssuedOneOf = async (issuer: Certificate, certificates: readonly Certificate[]) => {
    for (const certificate of certificates) {
      if (!issuer.isAuthority || !mayHaveIssued(issuer, certificate)) continue;
      if (issuers.length > enough && verifications >= MAX_VERIFICATIONS) return false;
      verifications++;
      if (await checkIssuance(issuer, certificate) !== "refuted") return true;
    }
    return false;
  };
  for (let level: readonly Certificate[] = [endEntity]; level.length > 0;) {
    const next: Certificate[] = [];
    for (const candidate of rest) {
      if (await hasIssuedOneOf(candidate, level)) next.push(candidate);
    }
    rest = rest.filter((candidate) => !next.includes(candidate));
    issuers.push(...next);
    level = next;
  }
  return { issuers, leftOut: rest };
}

/** Returns each certificate once, in the same order. */
export function removeDuplicates(certificates: readonly Certificate[]): Certificate[] {
  const kept: Certificate[] = [];
  for (const certificate of certificates) {
    if (!kept.some(({ encoded }) => sameBytes(encoded, certificate.encoded))) {
      kept.push(certificate);
    }
  }
  return kept;
}
