/**
 * Finds the public key and certificates that share a private key's CKA_ID.
 *
 * @module
 */
import { type Certificate, publicKeyOf } from "../../../src/x509/certificate.ts";
import type { PublicKey } from "../../../src/x509/public_key.ts";
import { findPublicKeyObjects } from "./matching.ts";
import { findCertificates, type TokenCertificate, type TokenKey } from "./find.ts";
import { comparePublicKey } from "./public_key.ts";

/**
 * Returns a private key's public key, from its attributes or from the objects with the same CKA_ID.
 */
export async function findPublicKeyOf(key: TokenKey): Promise<PublicKey | undefined> {
  if (key.publicKeyAttributes.publicKey) return key.publicKeyAttributes.publicKey;
  const isOfKey = (publicKey: PublicKey) =>
    comparePublicKey(key.publicKeyAttributes, publicKey) !== "different";
  for (const { publicKey } of await findPublicKeyObjects(key)) {
    if (publicKey && isOfKey(publicKey)) return publicKey;
  }
  for (const { certificate } of await findCertificatesOf(key)) return publicKeyOf(certificate);
  return undefined;
}

/** Returns the certificates with the CKA_ID of a private key that may belong to it. */
export async function findCertificatesOf(key: TokenKey): Promise<TokenCertificate[]> {
  const { session, id, publicKeyAttributes } = key;
  if (id.length === 0) return [];
  const found = await findCertificates(session, { id }, () => {});
  return found.filter(({ certificate }) => {
    const publicKey = tryPublicKeyOf(certificate);
    return publicKey && comparePublicKey(publicKeyAttributes, publicKey) !== "different";
  });
}

/** Returns the public key of a certificate; undefined if its key type is not supported. */
export function tryPublicKeyOf(certificate: Certificate): PublicKey | undefined {
  try {
    return publicKeyOf(certificate);
  } catch {
    return undefined;
  }
}
