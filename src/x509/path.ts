/**
 * Certification paths (RFC 5280 section 6.1): the certificates that can lie on one from an end-entity
 * certificate, out of any number of others.
 *
 * @module
 */
import type { Certificate } from "./certificate.ts";
import { mayHaveIssued } from "./chain.ts";
import { checkIssuance } from "./verify_issuer.ts";
import { sameBytes } from "./public_key.ts";

/** The certificates to send with an end-entity certificate, and the rest. */
export interface Chain {
  /** Issuers, nearest first; every candidate where an intermediate was renewed or cross-signed. */
  readonly issuers: readonly Certificate[];
  /** Certificates that are on no path from the end-entity certificate, in the order given. */
  readonly leftOut: readonly Certificate[];
}

/** Signatures that are verified although there are more issuers than enough. */
const MAX_VERIFICATIONS = 2_000;

/**
 * Returns the certificates of `found` that can be on a path from `endEntity`: authorities whose name,
 * key identifier and key fit the certificate below. An issuer whose algorithm cannot be verified here
 * counts if name and key identifier fit, because the service may know it.
 *
 * Repetitions and `endEntity` itself are in neither list. With more than `enough` issuers it ends after
 * {@link MAX_VERIFICATIONS}: many certificates of few names would take a signature for each pair.
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

/** Returns each certificate once, in the order given. */
export function removeDuplicates(certificates: readonly Certificate[]): Certificate[] {
  const kept: Certificate[] = [];
  for (const certificate of certificates) {
    if (!kept.some(({ encoded }) => sameBytes(encoded, certificate.encoded))) {
      kept.push(certificate);
    }
  }
  return kept;
}
