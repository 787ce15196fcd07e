/**
 * Keys in operating systems' stores: supported key types, and verification of their signatures.
 *
 * @module
 */
import { HelperError, messageOf } from "../../errors.ts";
import { type Certificate, publicKeyOf } from "../../x509/certificate.ts";
import { hasPublicKey } from "../../x509/chain.ts";
import { DerError } from "../../x509/der.ts";
import { KeyTypeError } from "../../x509/key_types.ts";
import type { PublicKey } from "../../x509/public_key.ts";
import { type Digest, verifySignature } from "../../x509/verify_signature.ts";
import type { Signer } from "../types.ts";
import { type KeystoreUri, SCHEMES } from "../uri.ts";

/** Returns true if both certificates have the same key, of a supported type. */
export function hasKeyOf(certificate: Certificate, other: Certificate): boolean {
  try {
    return hasPublicKey(certificate, publicKeyOf(other));
  } catch {
    return false;
  }
}

/** Public key of a type that stores can sign with. */
export type StoreKey = PublicKey & { readonly keyType: "RSA" | "EC" };

/** Returns the certificate's key. Throws `key-unsupported` if stores cannot sign with its type. */
export function storeKeyOf(
  certificate: Certificate,
  { scheme, displayName }: KeystoreUri,
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
    throw new HelperError("key-unsupported", `${displayName}: ${messageOf(cause)}`, { cause });
  }
}

/** Private key of a store, opened for signatures. */
export interface OpenStoreKey {
  readonly key: { sign(message: Uint8Array, digest: Digest): Promise<Uint8Array> };
  /** The certificate's key. */
  readonly publicKey: PublicKey;
  /** The certificate and its issuers. */
  readonly certificates: readonly Certificate[];
  readonly displayName: string;
  /** Native handles, closed with the signer. */
  readonly resources: Disposable;
}

/**
 * Returns the signer of a store's key. Each signature is verified with the certificate's key. A
 * later import may have replaced the key that the store associates with it. `sign` throws
 * `key-mismatch`, and the errors of the key.
 */
export function storeSigner(
  { key, publicKey, certificates, displayName, resources }: OpenStoreKey,
): Signer {
  return {
    publicKey,
    certificates,
    async sign(message, digest) {
      const signature = await key.sign(message, digest);
      if (await verifySignature(publicKey, message, digest, signature)) return signature;
      throw new HelperError(
        "key-mismatch",
        `${displayName}: the store's private key does not match the certificate; ` +
          "import the certificate again with its key",
      );
    },
    [Symbol.asyncDispose]: () => Promise.resolve(resources[Symbol.dispose]()),
  };
}
