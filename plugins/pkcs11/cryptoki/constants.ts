/**
 * PKCS#11 constants, without their prefixes.
 *
 * @module
 */
import type { MlDsaKeyType } from "../../../src/x509/key_types.ts";

/** Object classes, CKO_. */
export const CKO = { CERTIFICATE: 1, PUBLIC_KEY: 2, PRIVATE_KEY: 3 } as const;

/** Certificate types, CKC_. */
export const CKC = { X_509: 0 } as const;

/** Key types, CKK_. */
export const CKK = { RSA: 0, EC: 3, ML_DSA: 0x4a } as const;

/** Parameter sets of ML-DSA keys, CKP_ML_DSA_ (PKCS#11 3.2 section 6.67). */
export const CKP_ML_DSA: ReadonlyMap<number, MlDsaKeyType> = new Map([
  [1, "ML-DSA-44"],
  [2, "ML-DSA-65"],
  [3, "ML-DSA-87"],
]);

/** Attributes, CKA_. */
export const CKA = {
  CLASS: 0x0,
  PRIVATE: 0x2,
  LABEL: 0x3,
  VALUE: 0x11,
  CERTIFICATE_TYPE: 0x80,
  KEY_TYPE: 0x100,
  SUBJECT: 0x101,
  ID: 0x102,
  SIGN: 0x108,
  MODULUS: 0x120,
  PUBLIC_EXPONENT: 0x122,
  PUBLIC_KEY_INFO: 0x129,
  EC_PARAMS: 0x180,
  EC_POINT: 0x181,
  ALWAYS_AUTHENTICATE: 0x202,
  PARAMETER_SET: 0x61d,
} as const;

/** Mechanisms, CKM_. */
export const CKM = {
  RSA_PKCS: 0x1,
  ML_DSA: 0x1d,
  SHA256_RSA_PKCS: 0x40,
  SHA384_RSA_PKCS: 0x41,
  SHA512_RSA_PKCS: 0x42,
  ECDSA: 0x1041,
  ECDSA_SHA256: 0x1044,
  ECDSA_SHA384: 0x1045,
  ECDSA_SHA512: 0x1046,
} as const;

/** Users that log in, CKU_. */
export const CKU = { USER: 1, CONTEXT_SPECIFIC: 2 } as const;

/** Flags, CKF_: of a token, of C_OpenSession and of C_Initialize. */
export const CKF = {
  LOGIN_REQUIRED: 0x4,
  PROTECTED_AUTHENTICATION_PATH: 0x100,
  TOKEN_INITIALIZED: 0x400,
  USER_PIN_COUNT_LOW: 0x10000,
  USER_PIN_FINAL_TRY: 0x20000,
  USER_PIN_LOCKED: 0x40000,
  SERIAL_SESSION: 0x4,
  OS_LOCKING_OK: 0x2,
} as const;
