/**
 * What stands beside a private key on its token: its public key and its certificates.
 *
 * @module
 */
import { type Certificate, publicKeyOf } from "../../../src/x509/certificate.ts";
import type { PublicKey } from "../../../src/x509/public_key.ts";
import { findPublicKeyObjects } from "./matching.ts";
import { findCertificates, type TokenCertificate, type TokenKey } from "./find.ts";
import { comparePublicKey } from "./public_key.ts";

/** The public key of a private one, as the token tells it: by its attributes or beside it. */
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

/** The certificates with the CKA_ID of a private key that can be its own. */
export async function findCertificatesOf(key: TokenKey): Promise<TokenCertificate[]> {
  const { session, id, publicKeyAttributes } = key;
  if (id.length === 0) return [];
  const found = await findCertificates(session, { id }, () => {});
  return found.filter(({ certificate }) => {
    const publicKey = tryPublicKeyOf(certificate);
    return publicKey && comparePublicKey(publicKeyAttributes, publicKey) !== "different";
  });
}

/** The public key of a certificate, if it is of a kind that can be used. */
export function tryPublicKeyOf(certificate: Certificate): PublicKey | undefined {
  try {
    return publicKeyOf(certificate);
  } catch {
    return undefined; // a kind of key that cannot be used
  }
}
