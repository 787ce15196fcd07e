/**
 * Parser for the public area of TPM objects (`TPM2B_PUBLIC`, TPM 2.0 Library, Part 2 section
 * "Public Area Structures").
 *
 * @module
 */
import { encodeObjectIdentifier } from "../../../src/x509/der.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import { ecPublicKey, type PublicKey, rsaPublicKey } from "../../../src/x509/public_key.ts";
import {
  ALGORITHM,
  ALGORITHM_NAMES,
  type Hash,
  HASHES,
  TPM_CURVES,
  UNSUPPORTED_CURVES,
} from "./algorithms.ts";
import { WireError, WireReader } from "./wire.ts";

/** TPMA_OBJECT bits. */
export const ATTRIBUTE = {
  userWithAuth: 0x0000_0040,
  noDA: 0x0000_0400,
  restricted: 0x0001_0000,
  decrypt: 0x0002_0000,
  sign: 0x0004_0000,
} as const;

/** Signature scheme of a key. */
export interface Scheme {
  /** {@link ALGORITHM.null} if the scheme is chosen for each signature. */
  readonly algorithm: number;
  /** Undefined for schemes without a hash. */
  readonly hash?: number;
}

/** Parsed public area of an object. */
export interface PublicArea {
  /** TPM2B_PUBLIC, unchanged. */
  readonly encoded: Uint8Array;
  readonly type: number;
  readonly nameHash: Hash;
  readonly attributes: number;
  readonly hasPolicy: boolean;
  readonly scheme: Scheme;
  /** RSA modulus, EC point, or the unique bytes of other objects. */
  readonly unique: readonly Uint8Array[];
  /** TPM_ECC_CURVE; 0 for others. */
  readonly curve: number;
  /** RSA public exponent; 0 for others. */
  readonly exponent: number;
}

const ASYMMETRIC: readonly number[] = [ALGORITHM.rsa, ALGORITHM.ecc];

/** Returns true if all the attribute bits are set. */
export function hasAttributes({ attributes }: PublicArea, bits: number): boolean {
  return (attributes & bits) === bits;
}

/** Returns true if the object holds sealed data: it neither signs nor decrypts. */
export function isSealedData(area: PublicArea): boolean {
  return area.type === ALGORITHM.keyedHash &&
    (area.attributes & (ATTRIBUTE.sign | ATTRIBUTE.decrypt)) === 0;
}

/** Returns true for an asymmetric storage key, which can salt sessions. */
export function isAsymmetricParent(area: PublicArea): boolean {
  return ASYMMETRIC.includes(area.type) &&
    hasAttributes(area, ATTRIBUTE.restricted | ATTRIBUTE.decrypt);
}

/** Parses a TPM2B_PUBLIC. Throws {@link WireError} if it is malformed. */
export function parsePublicArea(encoded: Uint8Array): PublicArea {
  const outer = new WireReader(encoded);
  const area = new WireReader(outer.tpm2b());
  outer.end();
  const type = area.u16();
  const nameHash = HASHES[area.u16()];
  if (!nameHash) throw new WireError("a TPM object with an unknown name hash");
  const attributes = area.u32();
  const hasPolicy = area.tpm2b().length > 0;
  const rest = readParameters(type, area);
  area.end();
  return { encoded, type, nameHash, attributes, hasPolicy, curve: 0, exponent: 0, ...rest };
}

type Parameters =
  & Pick<PublicArea, "scheme" | "unique">
  & Partial<Pick<PublicArea, "curve" | "exponent">>;

const RSA_DEFAULT_EXPONENT = 65537;

function readParameters(type: number, area: WireReader): Parameters {
  if (type === ALGORITHM.keyedHash) {
    const scheme = readScheme(area);
    if (scheme.algorithm !== ALGORITHM.null && scheme.algorithm !== HMAC) area.u16();
    return { scheme, unique: [area.tpm2b()] };
  }
  if (!ASYMMETRIC.includes(type) && type !== ALGORITHM.symmetricCipher) {
    throw new WireError(`a TPM object of the unknown type 0x${type.toString(16)}`);
  }
  if (area.u16() !== ALGORITHM.null) area.take(4); // cipher of a storage key: bits and mode
  if (type === ALGORITHM.symmetricCipher) {
    return { scheme: { algorithm: ALGORITHM.null }, unique: [area.tpm2b()] };
  }
  const scheme = readScheme(area);
  if (type === ALGORITHM.rsa) {
    area.u16();
    const exponent = area.u32() || RSA_DEFAULT_EXPONENT;
    return { scheme, exponent, unique: [area.tpm2b()] };
  }
  if (scheme.algorithm === ALGORITHM.ecdaa) area.u16();
  const curve = area.u16();
  if (area.u16() !== ALGORITHM.null) area.u16(); // hash of the key derivation function
  return { scheme, curve, unique: [area.tpm2b(), area.tpm2b()] };
}

const HMAC = 0x0005;

function readScheme(area: WireReader): Scheme {
  const algorithm = area.u16();
  return algorithm === ALGORITHM.null || algorithm === ALGORITHM.rsaEs
    ? { algorithm }
    : { algorithm, hash: area.u16() };
}

/**
 * Returns the public key of an RSA or EC object. Throws `KeyTypeError` for other types and curves.
 */
export function decodePublicKey(area: PublicArea): PublicKey {
  const [first = new Uint8Array(0), second = new Uint8Array(0)] = area.unique;
  if (area.type === ALGORITHM.rsa) {
    const { exponent } = area;
    return rsaPublicKey(
      first,
      Uint8Array.of(exponent >>> 24, exponent >>> 16, exponent >>> 8, exponent),
    );
  }
  if (area.type !== ALGORITHM.ecc) {
    throw new KeyTypeError(
      `${ALGORITHM_NAMES[area.type] ?? "these"} TPM keys are not supported; make an RSA or EC key`,
    );
  }
  const curve = TPM_CURVES[area.curve];
  if (!curve) {
    const name = UNSUPPORTED_CURVES[area.curve] ?? `0x${area.curve.toString(16)}`;
    throw new KeyTypeError(
      `the elliptic curve ${name} is not supported; use P-256, P-384 or P-521`,
    );
  }
  const point = new Uint8Array(1 + 2 * curve.coordinateBytes);
  point[0] = 0x04;
  for (const [i, coordinate] of [first, second].entries()) {
    if (coordinate.length > curve.coordinateBytes) {
      throw new WireError("an EC point longer than its curve");
    }
    point.set(coordinate, 1 + (i + 1) * curve.coordinateBytes - coordinate.length);
  }
  return ecPublicKey(encodeObjectIdentifier(curve.oid), point);
}
