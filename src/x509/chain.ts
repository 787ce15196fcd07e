/**
 * Selection of the end-entity certificate among several, and of its issuers by name.
 *
 * @module
 */
import { type Certificate, publicKeyOf } from "./certificate.ts";
import { type PublicKey, sameBytes, samePublicKey } from "./public_key.ts";

/** Array with at least one item. */
export type NonEmpty<T> = readonly [T, ...T[]];

/**
 * Returns true if `issuer` can have issued `certificate`. Compares names, and key identifiers if
 * both have one (RFC 5280 section 4.2.1.1). The service verifies the signatures.
 */
export function mayHaveIssued(issuer: Certificate, certificate: Certificate): boolean {
  if (!sameBytes(issuer.subject, certificate.issuer)) return false;
  const wanted = certificate.authorityKeyIdentifier;
  const found = issuer.subjectKeyIdentifier;
  return wanted === undefined || found === undefined || sameBytes(wanted, found);
}

/**
 * Selects the end-entity certificate: one with `publicKey`, if it is known and a certificate has it.
 * Otherwise one that is neither an authority nor an issuer of another, if all such certificates have
 * the same key. Otherwise the first. Of several with one key, as after a renewal, selects the
 * {@link selectPreferred} one.
 */
export function selectEndEntity(
  certificates: NonEmpty<Certificate>,
  now: Date,
  publicKey?: PublicKey,
): Certificate {
  const ofKey = (key: PublicKey) => certificates.filter((other) => hasPublicKey(other, key));
  const matching = publicKey ? selectPreferred(ofKey(publicKey), now) : undefined;
  if (matching) return matching;
  const leaves = certificates.filter((candidate) =>
    !candidate.isAuthority &&
    !certificates.some((other) => other !== candidate && mayHaveIssued(candidate, other))
  );
  const [first, ...others] = leaves;
  const isOneKey = first && others.every((other) => haveSameKey(first, other));
  return (isOneKey ? selectPreferred(leaves, now) : undefined) ?? certificates[0];
}

/**
 * Returns the preferred certificate of several. The order is: valid at `now`, latest expiry, latest
 * start of validity, first in the list.
 */
export function selectPreferred(
  certificates: readonly Certificate[],
  now: Date,
): Certificate | undefined {
  return sortByPreference(certificates, now, (certificate) => certificate)[0];
}

/** Returns the items in the order of {@link selectPreferred}. */
export function sortByPreference<T>(
  items: readonly T[],
  now: Date,
  certificateOf: (item: T) => Certificate,
): T[] {
  const isValid = ({ notBefore, notAfter }: Certificate) => notBefore <= now && now <= notAfter;
  return items.toSorted((first, second) => {
    const [a, b] = [certificateOf(first), certificateOf(second)];
    return Number(isValid(b)) - Number(isValid(a)) ||
      b.notAfter.getTime() - a.notAfter.getTime() ||
      b.notBefore.getTime() - a.notBefore.getTime();
  });
}

/** Returns true if both have the same public key. Compares encodings if a key cannot be used. */
export function haveSameKey(a: Certificate, b: Certificate): boolean {
  if (sameBytes(a.subjectPublicKeyInfo, b.subjectPublicKeyInfo)) return true;
  try {
    return hasPublicKey(a, publicKeyOf(b));
  } catch {
    return false;
  }
}

/**
 * Returns true if one is the renewal of the other: the same key, and the same subject or issuer. The
 * attestation certificate of a YubiKey for the same key shares neither.
 */
export function isRenewal(a: Certificate, b: Certificate): boolean {
  return (sameBytes(a.subject, b.subject) || sameBytes(a.issuer, b.issuer)) && haveSameKey(a, b);
}

/** Returns true if the certificate has this public key. */
export function hasPublicKey(certificate: Certificate, publicKey: PublicKey): boolean {
  try {
    return samePublicKey(publicKeyOf(certificate), publicKey);
  } catch {
    return false; // a type that cannot be used never matches
  }
}
