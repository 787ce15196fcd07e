/**
 * Public keys of certificates (RFC 5280 section 4.1.2.7).
 *
 * @module
 */
import {
  DerError,
  DerReader,
  encodeElement,
  encodeObjectIdentifier,
  encodeSequence,
  encodeUnsignedInteger,
  readSequence,
  TAG,
  unsigned,
} from "./der.ts";
import {
  type Curve,
  curveOf,
  type KeyType,
  KeyTypeError,
  keyTypeOf,
  RSA_MODULUS_BITS,
} from "./key_types.ts";

/** Public key with its type and encodings. */
export interface PublicKey {
  readonly keyType: KeyType;
  /** Curve of an EC key; undefined for other types. */
  readonly curve?: Curve;
  /**
   * Bits of `subjectPublicKey`: PKCS#1 RSAPublicKey DER, an uncompressed EC point, or the raw ML-DSA
   * key.
   */
  readonly bits: Uint8Array;
  /** The whole SubjectPublicKeyInfo, DER. */
  readonly encoded: Uint8Array;
}

const UNCOMPRESSED_POINT = 0x04;

/**
 * Reads a DER SubjectPublicKeyInfo.
 *
 * Throws {@link DerError} if it is malformed, and {@link KeyTypeError} if its type cannot be used.
 */
export function parsePublicKey(encoded: Uint8Array): PublicKey {
  const info = readSequence(encoded);
  const algorithm = info.sequence();
  const bits = info.bitString();
  info.end();
  const keyType = keyTypeOf(algorithm.objectIdentifier());
  return { keyType, bits, encoded, ...CHECKS[keyType](bits, algorithm) };
}

/** Function that checks a key's bits and returns the curve of the parameters. */
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

/** Reads modulus and exponent of a PKCS#1 RSAPublicKey, big-endian without padding. */
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

/** Returns true if both are the same key. Encodings may differ in optional parameters. */
export function samePublicKey(a: PublicKey, b: PublicKey): boolean {
  return a.keyType === b.keyType && a.curve === b.curve && sameBytes(a.bits, b.bits);
}

/** Returns true if both have the same bytes. Only for public data: not constant time. */
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

/** DER AlgorithmIdentifier of RSA keys (RFC 3279 section 2.3.1). */
export const RSA_ALGORITHM = encodeSequence(
  encodeObjectIdentifier("1.2.840.113549.1.1.1"),
  encodeElement(TAG.null),
);
const EC_OID = encodeObjectIdentifier("1.2.840.10045.2.1");

/** Returns an RSA key. Both numbers are big-endian. Throws like {@link parsePublicKey}. */
export function rsaPublicKey(modulus: Uint8Array, exponent: Uint8Array): PublicKey {
  const bits = encodeSequence(encodeUnsignedInteger(modulus), encodeUnsignedInteger(exponent));
  return parsePublicKey(encodePublicKey(RSA_ALGORITHM, bits));
}

/**
 * Returns an EC key from a curve and an uncompressed point. `parameters` is the DER of the curve's
 * object identifier (RFC 5480 section 2.1.1). Throws like {@link parsePublicKey}.
 */
export function ecPublicKey(parameters: Uint8Array, point: Uint8Array): PublicKey {
  return parsePublicKey(encodePublicKey(encodeSequence(EC_OID, parameters), point));
}

/** Reads the contents of an AlgorithmIdentifier: object identifier and encoded parameters. */
export function readAlgorithmIdentifier(
  identifier: DerReader,
): { oid: string; parameters?: Uint8Array } {
  const oid = identifier.objectIdentifier();
  if (identifier.atEnd) return { oid };
  return { oid, parameters: identifier.next().encoded };
}
