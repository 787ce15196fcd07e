/**
 * Key types that IAM Roles Anywhere accepts, by their object identifiers (RFC 3279, RFC 5480, RFC
 * 9881). The signature algorithm of each is in `rolesanywhere/algorithms.ts`.
 *
 * @module
 */

/** Algorithms of `subjectPublicKeyInfo` and PKCS#8 keys, by object identifier. */
export const KEY_TYPES = {
  "1.2.840.113549.1.1.1": "RSA",
  "1.2.840.10045.2.1": "EC",
  "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
  "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
  "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
} as const satisfies Record<string, string>;

/** Type of a key. */
export type KeyType = (typeof KEY_TYPES)[keyof typeof KEY_TYPES];

/** ML-DSA parameter set (FIPS 204). */
export type MlDsaKeyType = Extract<KeyType, `ML-DSA-${number}`>;

/** Returns true for the ML-DSA parameter sets. */
export function isMlDsa(keyType: KeyType): keyType is MlDsaKeyType {
  return keyType !== "RSA" && keyType !== "EC";
}

/** Common key types that Roles Anywhere does not accept. Messages name them. */
export const REFUSED_KEY_TYPES: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.10": "RSA-PSS",
  "1.2.840.10040.4.1": "DSA",
  "1.3.101.110": "X25519",
  "1.3.101.111": "X448",
  "1.3.101.112": "Ed25519",
  "1.3.101.113": "Ed448",
};

/** Common curves that Roles Anywhere does not accept. Messages name them. */
const REFUSED_CURVES: Readonly<Record<string, string>> = {
  "1.2.840.10045.3.1.1": "P-192",
  "1.3.132.0.33": "P-224",
  "1.3.132.0.10": "secp256k1",
  "1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1",
  "1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1",
  "1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1",
};

/** Named elliptic curve: its WebCrypto name and the length of a coordinate in bytes. */
export interface Curve {
  readonly oid: string;
  readonly name: "P-256" | "P-384" | "P-521";
  readonly coordinateBytes: number;
}

/** Supported curves, by object identifier. */
export const CURVES: Readonly<Record<string, Curve>> = {
  "1.2.840.10045.3.1.7": { oid: "1.2.840.10045.3.1.7", name: "P-256", coordinateBytes: 32 },
  "1.3.132.0.34": { oid: "1.3.132.0.34", name: "P-384", coordinateBytes: 48 },
  "1.3.132.0.35": { oid: "1.3.132.0.35", name: "P-521", coordinateBytes: 66 },
};

/** Accepted length of an RSA modulus, in bits. */
export const RSA_MODULUS_BITS = { min: 1024, max: 8192 } as const;

/** Returns the key type of an object identifier. Throws `KeyTypeError` with the name of others. */
export function keyTypeOf(oid: string): KeyType {
  const known: Readonly<Record<string, KeyType>> = KEY_TYPES;
  const keyType = known[oid];
  if (keyType) return keyType;
  throw new KeyTypeError(
    `${
      REFUSED_KEY_TYPES[oid] ?? `algorithm ${oid}`
    } keys cannot be used with IAM Roles Anywhere; ` +
      "use RSA, EC (P-256, P-384, P-521) or ML-DSA",
  );
}

/** Returns the curve of an object identifier. Throws `KeyTypeError` for others. */
export function curveOf(oid: string): Curve {
  const curve = CURVES[oid];
  if (curve) return curve;
  throw new KeyTypeError(
    `keys on the elliptic curve ${
      REFUSED_CURVES[oid] ?? oid
    } cannot be used with IAM Roles Anywhere; use ${
      Object.values(CURVES).map((known) => known.name).join(", ")
    }`,
  );
}

/** Error for a well-formed key that cannot be used. The message follows the key's name. */
export class KeyTypeError extends Error {
  override readonly name = "KeyTypeError";
}
