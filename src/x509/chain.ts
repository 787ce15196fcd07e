/**
 * Selection of the end-entity certificate among several, and of its issuers by name.
 *
 * @module
 */
import { type Certificate, publicKeyOf } from "./certificate.ts";
import { type PublicKey, sameBytes, samePublicKey } from "./public_key.ts";

/** At least one. */
export type NonEmpty<T> = readonly [T, ...T[]];

/**
 * Returns true if `issuer` can have issued `certificate`: by name, and by key identifier where both
 * carry one (RFC 5280 section 4.2.1.1). The service verifies the signatures.
 */
export function mayHaveIssued(issuer: Certificate, certificate: Certificate): boolean {
  if (!sameBytes(issuer.subject, certificate.issuer)) return false;
  const wanted = certificate.authorityKeyIdentifier;
  const found = issuer.subjectKeyIdentifier;
  return wanted === undefined || found === undefined || sameBytes(wanted, found);
}

/**
 * Returns the end-entity certificate among several: of those with `publicKey`, if it is known and one
 * has it; else of those that are neither authorities nor issuers of another, if all have one key;
 * else the first. Of several with one key, as after a renewal, it is the {@link selectPreferred} one.
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
 * Returns the certificate to use of several that are equally meant: valid at `now` before the others,
 * then the one that expires last, then the one that became valid last, then the first.
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

/** Returns true if both hold the same public key; encodings of a key that cannot be used are compared. */
export function haveSameKey(a: Certificate, b: Certificate): boolean {
  if (sameBytes(a.subjectPublicKeyInfo, b.subjectPublicKeyInfo)) return true;
  try {
    return hasPublicKey(a, publicKeyOf(b));
  } catch {
    return false;
  }
}

/**
 * Returns true if one is the renewal of the other: the same key, and the same subject or issuer. An
 * attestation that a YubiKey makes for a key has neither.
 */
export function isRenewal(a: Certificate, b: Certificate): boolean {
  return (sameBytes(a.subject, b.subject) || sameBytes(a.issuer, b.issuer)) && haveSameKey(a, b);
}

/** True when the certificate holds exactly this public key. */
export function hasPublicKey(certificate: Certificate, publicKey: PublicKey): boolean {
  try {
    return samePublicKey(publicKeyOf(certificate), publicKey);
  } catch {
    return false; // a kind of key that cannot be used is not this one
  }
}
