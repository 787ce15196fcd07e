/**
 * The mechanisms for signing, in one table.
 *
 * @module
 */
import { decodeHex } from "@std/encoding/hex";
import { ecdsaSignatureToDer } from "../../src/x509/der.ts";
import { type PublicKey, rsaPublicNumbers } from "../../src/x509/public_key.ts";
import { isMlDsa, type MlDsaKeyType } from "../../src/x509/key_types.ts";
import type { Digest } from "../../src/x509/verify_signature.ts";
import { CKM } from "./cryptoki/constants.ts";

/** A mechanism and its input. */
export interface Mechanism {
  readonly type: number;
  /** Returns the data for C_Sign. */
  input(): Promise<Uint8Array> | Uint8Array;
}

/** For each digest: the mechanisms that hash on the token, and RSA's DigestInfo prefix. */
const BY_DIGEST: Readonly<Record<Digest, { rsa: number; ecdsa: number; digestInfo: Uint8Array }>> =
  {
    "SHA-256": {
      rsa: CKM.SHA256_RSA_PKCS,
      ecdsa: CKM.ECDSA_SHA256,
      digestInfo: decodeHex("3031300d060960864801650304020105000420"),
    },
    "SHA-384": {
      rsa: CKM.SHA384_RSA_PKCS,
      ecdsa: CKM.ECDSA_SHA384,
      digestInfo: decodeHex("3041300d060960864801650304020205000430"),
    },
    "SHA-512": {
      rsa: CKM.SHA512_RSA_PKCS,
      ecdsa: CKM.ECDSA_SHA512,
      digestInfo: decodeHex("3051300d060960864801650304020305000440"),
    },
  };

/** Lengths of ML-DSA signatures (FIPS 204 table 2). */
const ML_DSA_SIGNATURE_BYTES: Readonly<Record<MlDsaKeyType, number>> = {
  "ML-DSA-44": 2420,
  "ML-DSA-65": 3309,
  "ML-DSA-87": 4627,
};

/**
 * Returns the mechanisms that can sign a message with a key, in the order to try them. Mechanisms
 * that sign a hash computed here come first, then those that hash on the token. `offered` is the
 * token's mechanism list. If it is undefined or has none of them, all are tried.
 */
export function mechanismsFor(
  { keyType, curve }: PublicKey,
  digest: Digest,
  message: Uint8Array,
  offered: readonly number[] | undefined,
): Mechanism[] {
  // Without a parameter the context is empty and the token chooses hedging (PKCS#11 3.2).
  if (isMlDsa(keyType)) return [{ type: CKM.ML_DSA, input: () => message }];
  const { rsa, ecdsa, digestInfo } = BY_DIGEST[digest];
  const hash = async () =>
    new Uint8Array(await crypto.subtle.digest(digest, Uint8Array.from(message)));
  const isRsa = keyType === "RSA";
  const mechanisms: Mechanism[] = [
    {
      type: isRsa ? CKM.RSA_PKCS : CKM.ECDSA,
      // ECDSA uses the leftmost bits of the hash, as many as the curve has (FIPS 186-5, 6.4.1).
      input: async () =>
        isRsa
          ? new Uint8Array([...digestInfo, ...await hash()])
          : (await hash()).subarray(0, curve?.coordinateBytes),
    },
    { type: isRsa ? rsa : ecdsa, input: () => message },
  ];
  const possible = mechanisms.filter(({ type }) => offered?.includes(type));
  return possible.length > 0 ? possible : mechanisms;
}

/**
 * Converts a token's signature to the X.509 encoding. Returns undefined if its length is wrong.
 * ECDSA signatures of PKCS#11 are `r || s`.
 */
export function decodeSignature(raw: Uint8Array, publicKey: PublicKey): Uint8Array | undefined {
  if (publicKey.curve) {
    return raw.length === 2 * publicKey.curve.coordinateBytes
      ? ecdsaSignatureToDer(raw)
      : undefined;
  }
  if (isMlDsa(publicKey.keyType)) {
    return raw.length === ML_DSA_SIGNATURE_BYTES[publicKey.keyType] ? raw : undefined;
  }
  return raw.length === rsaPublicNumbers(publicKey.bits).modulus.length ? raw : undefined;
}
