/**
 * TPM algorithm identifiers, and the tables of hashes and curves (TCG Algorithm Registry).
 *
 * @module
 */
import { type Curve, CURVES } from "../../../src/x509/key_types.ts";
import type { Digest } from "../../../src/x509/verify_signature.ts";

/** TPM_ALG_ID values. */
export const ALGORITHM = {
  rsa: 0x0001,
  aes: 0x0006,
  keyedHash: 0x0008,
  null: 0x0010,
  rsaSsa: 0x0014,
  rsaEs: 0x0015,
  rsaPss: 0x0016,
  ecdsa: 0x0018,
  ecdaa: 0x001a,
  ecc: 0x0023,
  symmetricCipher: 0x0025,
  cfb: 0x0043,
} as const;

/** Names of key types and schemes, for messages. */
export const ALGORITHM_NAMES: Readonly<Record<number, string>> = {
  [ALGORITHM.rsaSsa]: "RSASSA (PKCS#1 v1.5)",
  [ALGORITHM.rsaEs]: "RSAES",
  [ALGORITHM.rsaPss]: "RSA-PSS",
  0x0017: "OAEP",
  [ALGORITHM.ecdsa]: "ECDSA",
  0x0019: "ECDH",
  [ALGORITHM.ecdaa]: "ECDAA",
  0x001b: "SM2",
  0x001c: "EC-Schnorr",
  0x001d: "ECMQV",
  [ALGORITHM.keyedHash]: "keyed-hash",
  [ALGORITHM.symmetricCipher]: "symmetric",
};

/** A hash algorithm, by TPM_ALG_ID. */
export interface Hash {
  readonly algorithm: number;
  /** Digest length in bytes. */
  readonly length: number;
  readonly name: string;
}

/** Hash algorithms by TPM_ALG_ID. */
export const HASHES: Readonly<Record<number, Hash>> = Object.fromEntries(
  [
    { algorithm: 0x0004, length: 20, name: "SHA-1" },
    { algorithm: 0x000b, length: 32, name: "SHA-256" },
    { algorithm: 0x000c, length: 48, name: "SHA-384" },
    { algorithm: 0x000d, length: 64, name: "SHA-512" },
    { algorithm: 0x0012, length: 32, name: "SM3-256" },
    { algorithm: 0x0027, length: 32, name: "SHA3-256" },
    { algorithm: 0x0028, length: 48, name: "SHA3-384" },
    { algorithm: 0x0029, length: 64, name: "SHA3-512" },
  ].map((hash) => [hash.algorithm, hash]),
);

const findHash = (name: Digest): Hash => {
  const found = Object.values(HASHES).find((candidate) => candidate.name === name);
  if (!found) throw new RangeError(`unknown hash ${name}`);
  return found;
};

/** The hash algorithm of each digest. */
export const DIGEST_HASHES: Readonly<Record<Digest, Hash>> = {
  "SHA-256": findHash("SHA-256"),
  "SHA-384": findHash("SHA-384"),
  "SHA-512": findHash("SHA-512"),
};

const findCurve = (name: Curve["name"]): Curve => {
  const found = Object.values(CURVES).find((candidate) => candidate.name === name);
  if (!found) throw new RangeError(`unknown curve ${name}`);
  return found;
};

/** Supported curves, by TPM_ECC_CURVE. */
export const TPM_CURVES: Readonly<Record<number, Curve>> = {
  0x0003: findCurve("P-256"),
  0x0004: findCurve("P-384"),
  0x0005: findCurve("P-521"),
};

/** Names of unsupported TPM curves, for messages. */
export const UNSUPPORTED_CURVES: Readonly<Record<number, string>> = {
  0x0001: "P-192",
  0x0002: "P-224",
  0x0010: "BN P256",
  0x0011: "BN P638",
  0x0020: "SM2 P256",
};
