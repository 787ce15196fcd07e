/**
 * TPM algorithm identifiers, and the tables of hashes and curves (TCG Algorithm Registry).
 *
 * @module
 */
import type { Digest } from "../../../src/keystore/types.ts";
import { type Curve, CURVES } from "../../../src/x509/key_types.ts";

/** Identifiers that are used here, TPM_ALG_ID. */
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

/** What keys and schemes are called, for messages. */
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

/** A hash function as the TPM names it. */
export interface Hash {
  readonly algorithm: number;
  /** Its length in bytes. */
  readonly length: number;
  readonly name: string;
}

/** Hash functions by identifier. */
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

const hash = (name: Digest): Hash => {
  const found = Object.values(HASHES).find((candidate) => candidate.name === name);
  if (!found) throw new RangeError(`no hash ${name}`);
  return found;
};

/** The hash of each digest that can be asked for. */
export const HASH_OF: Readonly<Record<Digest, Hash>> = {
  "SHA-256": hash("SHA-256"),
  "SHA-384": hash("SHA-384"),
  "SHA-512": hash("SHA-512"),
};

const curve = (name: Curve["name"]): Curve => {
  const found = Object.values(CURVES).find((candidate) => candidate.name === name);
  if (!found) throw new RangeError(`no curve ${name}`);
  return found;
};

/** Curves that can be used, by TPM_ECC_CURVE. */
export const TPM_CURVES: Readonly<Record<number, Curve>> = {
  0x0003: curve("P-256"),
  0x0004: curve("P-384"),
  0x0005: curve("P-521"),
};

/** Curves that TPMs have and that cannot be used, for messages. */
export const REFUSED_CURVES: Readonly<Record<number, string>> = {
  0x0001: "P-192",
  0x0002: "P-224",
  0x0010: "BN P256",
  0x0011: "BN P638",
  0x0020: "SM2 P256",
};
