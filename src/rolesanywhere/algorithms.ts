/**
 * Signing algorithms of CreateSession requests, by type of key
 * ("Signing process", AWS IAM Roles Anywhere User Guide).
 *
 * @module
 */
import type { KeyType } from "../x509/key_types.ts";
import type { Digest } from "../x509/verify_signature.ts";

/** Signing algorithm for one type of key. */
export interface SigningAlgorithm {
  /** The name in `Authorization` and in the string to sign. */
  readonly name: "AWS4-X509-RSA-SHA256" | "AWS4-X509-ECDSA-SHA256" | "AWS4-X509-MLDSA";
  /** Digest for the signature of the string to sign; ML-DSA ignores it. */
  readonly digest: Digest;
  /** `keyType` in the output of read-certificate-data. */
  readonly keyType: KeyType;
  /** `supportedAlgorithms` in the output of read-certificate-data. */
  readonly supportedAlgorithms: readonly string[];
  /** True if sign-string's message ends with the hash of the public key. */
  readonly testMessageHasPublicKey: boolean;
}

const ML_DSA = {
  name: "AWS4-X509-MLDSA",
  digest: "SHA-256",
  testMessageHasPublicKey: false,
} as const;

/** Signing algorithms of IAM Roles Anywhere. */
export const SIGNING_ALGORITHMS: Readonly<Record<KeyType, SigningAlgorithm>> = {
  "RSA": {
    name: "AWS4-X509-RSA-SHA256",
    digest: "SHA-256",
    keyType: "RSA",
    supportedAlgorithms: ["RSASHA256", "RSASHA384", "RSASHA512"],
    testMessageHasPublicKey: true,
  },
  "EC": {
    name: "AWS4-X509-ECDSA-SHA256",
    digest: "SHA-256",
    keyType: "EC",
    supportedAlgorithms: ["ECSHA256", "ECSHA384", "ECSHA512"],
    testMessageHasPublicKey: true,
  },
  "ML-DSA-44": { ...ML_DSA, keyType: "ML-DSA-44", supportedAlgorithms: ["ML-DSA-44"] },
  "ML-DSA-65": { ...ML_DSA, keyType: "ML-DSA-65", supportedAlgorithms: ["ML-DSA-65"] },
  "ML-DSA-87": { ...ML_DSA, keyType: "ML-DSA-87", supportedAlgorithms: ["ML-DSA-87"] },
};
