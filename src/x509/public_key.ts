/**
 * Public keys as certificates carry them (RFC 5280 section 4.1.2.7).
 *
 * @module
 */
import { DerError, DerReader, encodeElement, readSequence, TAG, unsigned } from "./der.ts";
import {
  type Curve,
  curveOf,
  type KeyType,
  KeyTypeError,
  keyTypeOf,
  RSA_MODULUS_BITS,
} from "./key_types.ts";

/** A public key and what is needed to compare it and to name its algorithm. */
export interface PublicKey {
  readonly keyType: KeyType;
  /** The curve of an EC key; undefined for others. */
  readonly curve?: Curve;
  /**
   * The bits of `subjectPublicKey`: PKCS#1 RSAPublicKey DER, an uncompressed EC point, or the raw
   * ML-DSA key.
   */
  readonly bits: Uint8Array;
  /** The whole SubjectPublicKeyInfo, DER. */
  readonly encoded: Uint8Array;
}

const UNCOMPRESSED_POINT = 0x04;

/**
 * Reads a DER SubjectPublicKeyInfo.
 *
 * Throws {@link DerError} when it is malformed and {@link KeyTypeError} when its kind cannot be used.
 */
export function parsePublicKey(encoded: Uint8Array): PublicKey {
  const info = readSequence(encoded);
  const algorithm = info.sequence();
  const bits = info.bitString();
  info.end();
  const keyType = keyTypeOf(algorithm.objectIdentifier());
  return { keyType, bits, encoded, ...CHECKS[keyType](bits, algorithm) };
}

/** Checks a key's bits; gives the curve that the parameters name. */
type CheckPublicKey = (bits: Uint8Array, parameters: DerReader) => { curve?: Curve };

const checkMlDsa: CheckPublicKey = () => ({});

const CHECKS: Readonly<Record<KeyType, CheckPublicKey>> = {
  "RSA": checkRsaPublicKey,
  "EC": checkEcPublicKey,
  "ML-DSA-44": checkMlDsa,
  "ML-DSA-65": checkMlDsa,
  "ML-DSA-87": checkMlDsa,
};

function checkEcPublicKey(bits: Uint8Array, parameters: DerReader): { curve: Curve } {
  if (parameters.peekTag() !== TAG.objectIdentifier) {
    throw new KeyTypeError("EC keys with explicit curve parameters cannot be used");
  }
  const curve = curveOf(parameters.objectIdentifier());
  if (bits[0] !== UNCOMPRESSED_POINT || bits.length !== 1 + 2 * curve.coordinateBytes) {
    throw new DerError("an EC point that is not in its uncompressed form");
  }
  return { curve };
}

/** Modulus and public exponent of a PKCS#1 RSAPublicKey, big-endian without padding. */
export function rsaPublicNumbers(bits: Uint8Array): { modulus: Uint8Array; exponent: Uint8Array } {
  const key = readSequence(bits);
  const modulus = unsigned(key.integer());
  const exponent = unsigned(key.integer());
  key.end();
  return { modulus, exponent };
}

function checkRsaPublicKey(bits: Uint8Array): Record<never, never> {
  const { modulus } = rsaPublicNumbers(bits);
  const size = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  if (size < RSA_MODULUS_BITS.min || size > RSA_MODULUS_BITS.max) {
    throw new KeyTypeError(
      `RSA keys of ${size} bits cannot be used; use ${RSA_MODULUS_BITS.min} to ${RSA_MODULUS_BITS.max}`,
    );
  }
  return {};
}

/** True when both are the same key; encodings may differ in optional parameters. */
export function samePublicKey(a: PublicKey, b: PublicKey): boolean {
  return a.keyType === b.keyType && a.curve === b.curve && sameBytes(a.bits, b.bits);
}

/** True when both hold the same bytes. For public data: not constant time. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Builds a SubjectPublicKeyInfo from an encoded AlgorithmIdentifier and the key's bits. */
export function encodePublicKey(algorithm: Uint8Array, bits: Uint8Array): Uint8Array {
  return encodeElement(
    TAG.sequence,
    algorithm,
    encodeElement(TAG.bitString, new Uint8Array(1), bits),
  );
}

/** Reads an AlgorithmIdentifier: object identifier and encoded parameters. */
export function readAlgorithmIdentifier(
  identifier: DerReader,
): { oid: string; parameters?: Uint8Array } {
  const oid = identifier.objectIdentifier();
  if (identifier.atEnd) return { oid };
  return { oid, parameters: identifier.next().encoded };
}
