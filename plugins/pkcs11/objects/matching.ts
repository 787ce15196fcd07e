/**
 * Finds the private keys on a token that belong to a certificate.
 *
 * @module
 */
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import { publicKeyOf } from "../../../src/x509/certificate.ts";
import type { PublicKey } from "../../../src/x509/public_key.ts";
import { findPrivateKeys, findPublicKeys, type TokenCertificate, type TokenKey } from "./find.ts";
import { comparePublicKey } from "./public_key.ts";
import { type ObjectCriteria, parseObjectCriteria } from "../uri/match.ts";

/** Private keys that match a certificate. */
export interface KeyMatch {
  /** True if the public keys are equal; false if no public key is known to differ. */
  readonly isSame: boolean;
  readonly keys: readonly TokenKey[];
}

/**
 * Returns the private keys in the session that match a certificate. Looks by the certificate's
 * CKA_ID first, then by the URI's own criteria. Looks then by the certificate's label among objects
 * without CKA_ID, and last for any with the certificate's public key. Keys of other certificates
 * are left out.
 *
 * With `checkPublicKeyObjects`, public key objects are compared too: use it if another certificate may
 * be the right one.
 */
export async function findKeysFor(
  { session, certificate, id, label }: TokenCertificate,
  uri: KeystoreUri,
  checkPublicKeyObjects: boolean,
): Promise<KeyMatch> {
  const publicKey = publicKeyOf(certificate);
  const { sha256: _, ...asked } = parseObjectCriteria(uri);
  // Two labels may agree by chance where two identifiers do not.
  const noIdentifiers = (key: TokenKey) => key.id.length === 0 || id.length === 0;
  const steps: readonly (ObjectCriteria & { if?: (key: TokenKey) => boolean })[] = [
    ...(id.length > 0 ? [{ id }] : []),
    ...(asked.id || asked.label ? [asked] : []),
    ...(label.length > 0 ? [{ label, if: noIdentifiers }] : []),
  ];
  for (const { if: condition = () => true, ...criteria } of steps) {
    const keys = (await findPrivateKeys(session, criteria)).filter((key) => condition(key));
    const match = await findBestMatch(keys, publicKey, checkPublicKeyObjects || keys.length > 1);
    if (match.keys.length > 0) return match;
  }
  const match = await findBestMatch(await findPrivateKeys(session, {}), publicKey, true);
  return match.isSame ? match : { isSame: false, keys: [] };
}

/**
 * Returns the one key that has `publicKey`; if none is known to have it, those that may have it.
 * `checkPublicKeyObjects` also compares the public key objects with the same CKA_ID or label.
 */
export async function findBestMatch(
  keys: readonly TokenKey[],
  publicKey: PublicKey,
  checkPublicKeyObjects: boolean,
): Promise<KeyMatch> {
  const unknown: TokenKey[] = [];
  for (const key of keys) {
    let known = comparePublicKey(key.publicKeyAttributes, publicKey);
    if (known === "unknown" && checkPublicKeyObjects) {
      const halves = (await findPublicKeyObjects(key)).map((half) =>
        comparePublicKey(half, publicKey)
      );
      if (halves.includes("same")) known = "same";
      else if (halves.includes("different")) known = "different";
    }
    if (known === "same") return { isSame: true, keys: [key] };
    if (known === "unknown") unknown.push(key);
  }
  return { isSame: false, keys: unknown };
}

/** Finds the public key objects of a private key: by its CKA_ID, or by its label if it has none. */
export async function findPublicKeyObjects({ session, id, label }: TokenKey) {
  if (id.length > 0) return await findPublicKeys(session, { id });
  return label.length > 0 ? await findPublicKeys(session, { id, label }) : [];
}
