/**
 * Telling the end-entity certificate from its issuers and putting issuers in order.
 *
 * @module
 */
import { type Certificate, publicKeyOf } from "./certificate.ts";
import { type PublicKey, sameBytes, samePublicKey } from "./public_key.ts";

/** At least one. */
export type NonEmpty<T> = readonly [T, ...T[]];

/**
 * Whether `issuer` can have issued `certificate`: by name, and by key identifier where both carry
 * one (RFC 5280 section 4.2.1.1). The service verifies the signatures.
 */
export function mayHaveIssued(issuer: Certificate, certificate: Certificate): boolean {
  if (!sameBytes(issuer.subject, certificate.issuer)) return false;
  const wanted = certificate.authorityKeyIdentifier;
  const found = issuer.subjectKeyIdentifier;
  return wanted === undefined || found === undefined || sameBytes(wanted, found);
}

/**
 * Which of several certificates is the end-entity certificate: the one of `publicKey` when that is
 * known and matches; else the only one that is neither an authority nor the issuer of another; else
 * the first.
 */
export function endEntityOf(
  certificates: NonEmpty<Certificate>,
  publicKey?: PublicKey,
): Certificate {
  if (publicKey) {
    const matching = certificates.find((candidate) => hasPublicKey(candidate, publicKey));
    if (matching) return matching;
  }
  const leaves = certificates.filter((candidate) =>
    !candidate.isAuthority &&
    !certificates.some((other) => other !== candidate && mayHaveIssued(candidate, other))
  );
  return leaves.length === 1 && leaves[0] ? leaves[0] : certificates[0];
}

/** True when the certificate holds exactly this public key. */
export function hasPublicKey(certificate: Certificate, publicKey: PublicKey): boolean {
  try {
    return samePublicKey(publicKeyOf(certificate), publicKey);
  } catch {
    return false; // a kind of key that cannot be used is not this one
  }
}

/**
 * The chain to send for an end-entity certificate: what was found, without that certificate and
 * without repetitions, in the order given; put in order when it is not and forms exactly one path.
 */
export function orderChain(
  endEntity: Certificate,
  found: readonly Certificate[],
): readonly Certificate[] {
  const issuers: Certificate[] = [];
  for (const certificate of found) {
    const known = [endEntity, ...issuers].some((other) =>
      sameBytes(other.encoded, certificate.encoded)
    );
    if (!known) issuers.push(certificate);
  }
  if (isPath([endEntity, ...issuers])) return issuers;

  const ordered: Certificate[] = [];
  let below = endEntity;
  while (ordered.length < issuers.length) {
    const next = issuers.filter((issuer) =>
      !ordered.includes(issuer) && mayHaveIssued(issuer, below)
    );
    if (next.length !== 1 || !next[0]) return issuers;
    below = next[0];
    ordered.push(below);
  }
  return ordered;
}

function isPath(certificates: readonly Certificate[]): boolean {
  return certificates.every((certificate, i) => {
    const issuer = certificates[i + 1];
    return issuer === undefined || mayHaveIssued(issuer, certificate);
  });
}
