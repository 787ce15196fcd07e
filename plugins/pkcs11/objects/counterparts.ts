/**
 * What stands beside a private key on its token: its public key and its certificates.
 *
 * @module
 */
import { type Certificate, publicKeyOf } from "../../../src/x509/certificate.ts";
import type { PublicKey } from "../../../src/x509/public_key.ts";
import { findPublicKeyObjects } from "./matching.ts";
import { findCertificates, type TokenCertificate, type TokenKey } from "./find.ts";
import { relation } from "./public_key.ts";

/** The public key of a private one, as the token tells it: by its attributes or beside it. */
export async function publicKeyBeside(key: TokenKey): Promise<PublicKey | undefined> {
  if (key.publicPart.publicKey) return key.publicPart.publicKey;
  const isOfKey = (publicKey: PublicKey) => relation(key.publicPart, publicKey) !== "different";
  for (const { publicKey } of await findPublicKeyObjects(key)) {
    if (publicKey && isOfKey(publicKey)) return publicKey;
  }
  for (const { certificate } of await certificatesBeside(key)) return publicKeyOf(certificate);
  return undefined;
}

/** The certificates with the CKA_ID of a private key that can be its own. */
export async function certificatesBeside(key: TokenKey): Promise<TokenCertificate[]> {
  const { session, id, publicPart } = key;
  if (id.length === 0) return [];
  const found = await findCertificates(session, { id }, () => {});
  return found.filter(({ certificate }) => {
    const publicKey = usablePublicKey(certificate);
    return publicKey && relation(publicPart, publicKey) !== "different";
  });
}

/** The public key of a certificate, if it is of a kind that can be used. */
export function usablePublicKey(certificate: Certificate): PublicKey | undefined {
  try {
    return publicKeyOf(certificate);
  } catch {
    return undefined; // a kind of key that cannot be used
  }
}
