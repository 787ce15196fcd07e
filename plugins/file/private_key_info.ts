/**
 * Private keys after parsing and before signing.
 *
 * @module
 */
import type { Signer } from "../../src/keystore/types.ts";
import type { KeyType } from "../../src/x509/key_types.ts";

/** Private key with the fields of PKCS#8. Byte arrays share the memory of the input. */
export interface PrivateKeyInfo {
  readonly keyType: KeyType;
  /** DER parameters of the algorithm: for EC keys the curve. */
  readonly parameters?: Uint8Array;
  /** RSAPrivateKey, ECPrivateKey or an ML-DSA private key, DER. */
  readonly privateKey: Uint8Array;
  /** Bits of the public key, if the file has them next to the private key. */
  readonly publicKey?: Uint8Array;
}

/** Key in memory, ready to sign: a {@link Signer} without certificates. */
export type PrivateKey = Omit<Signer, "certificates">;
