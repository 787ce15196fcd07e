/**
 * A private key between its file and its use.
 *
 * @module
 */
import type { Signer } from "../../src/keystore/types.ts";
import type { KeyType } from "../../src/x509/key_types.ts";

/** A private key as PKCS#8 has it. Byte arrays share the memory of what was read. */
export interface PrivateKeyInfo {
  readonly keyType: KeyType;
  /** DER parameters of the algorithm: for EC keys the curve. */
  readonly parameters?: Uint8Array;
  /** RSAPrivateKey, ECPrivateKey or an ML-DSA private key, DER. */
  readonly privateKey: Uint8Array;
  /** The bits of the public key when the file has them beside the private one. */
  readonly publicKey?: Uint8Array;
}

/** A key in memory, ready to sign; {@link Signer} without its certificates. */
export type PrivateKey = Omit<Signer, "certificates">;
