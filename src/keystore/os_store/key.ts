/**
 * Keys in the stores of operating systems: which kinds they sign with, and that they are the right
 * ones.
 *
 * @module
 */
import { HelperError, messageOf } from "../../errors.ts";
import { type Certificate, publicKeyOf } from "../../x509/certificate.ts";
import { hasPublicKey } from "../../x509/chain.ts";
import { DerError } from "../../x509/der.ts";
import { KeyTypeError } from "../../x509/key_types.ts";
import type { PublicKey } from "../../x509/public_key.ts";
import { verifySignature } from "../../x509/verify_signature.ts";
import type { Digest } from "../types.ts";
import { type KeystoreUri, SCHEMES } from "../uri.ts";

/** Whether two certificates hold the same key, of a kind that can be used. */
export function hasKeyOf(certificate: Certificate, other: Certificate): boolean {
  try {
    return hasPublicKey(certificate, publicKeyOf(other));
  } catch {
    return false;
  }
}

/** A public key of a kind that stores sign with. */
export type StoreKey = PublicKey & { readonly keyType: "RSA" | "EC" };

/** The certificate's key. Throws `key-unsupported` when stores do not sign with its kind. */
export function storeKeyOf(
  certificate: Certificate,
  { scheme, displayName: label }: KeystoreUri,
): StoreKey {
  try {
    const publicKey = publicKeyOf(certificate);
    const { keyType } = publicKey;
    if (keyType === "RSA" || keyType === "EC") return { ...publicKey, keyType };
    throw new KeyTypeError(
      `${keyType} keys in ${SCHEMES[scheme].title} cannot be used; ` +
        `use RSA or EC there, or an ${keyType} key in a file`,
    );
  } catch (cause) {
    if (!(cause instanceof KeyTypeError || cause instanceof DerError)) throw cause;
    throw new HelperError("key-unsupported", `${label}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Signs, and makes sure that the signature is of the certificate's key: a store may name a key for a
 * certificate that another import has replaced since. Throws `key-mismatch`, and what `sign` throws.
 */
export async function signAndVerify(
  sign: (message: Uint8Array, digest: Digest) => Promise<Uint8Array>,
  publicKey: PublicKey,
  label: string,
  message: Uint8Array,
  digest: Digest,
): Promise<Uint8Array> {
  const signature = await sign(message, digest);
  if (await verifySignature(publicKey, message, digest, signature)) return signature;
  throw new HelperError(
    "key-mismatch",
    `the private key that the store has for ${label} is not the certificate's; ` +
      "import the certificate again with its key",
  );
}
