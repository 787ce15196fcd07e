/**
 * Reading the public area of TPM objects (`TPM2B_PUBLIC`, TPM 2.0 Library, Part 2 section "Public
 * Area Structures").
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
  REFUSED_CURVES,
  TPM_CURVES,
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

/** How a key signs, or wants to be told. */
export interface Scheme {
  /** {@link ALGORITHM.null} when the scheme is chosen at each signature. */
  readonly algorithm: number;
  /** Undefined for schemes without one. */
  readonly hash?: number;
}

/** What is known of an object without its private part. */
export interface PublicArea {
  /** TPM2B_PUBLIC, as it came. */
  readonly encoded: Uint8Array;
  readonly type: number;
  readonly nameHash: Hash;
  readonly attributes: number;
  readonly hasPolicy: boolean;
  readonly scheme: Scheme;
  /** RSA modulus; EC point; else the object's unique bytes. */
  readonly unique: readonly Uint8Array[];
  /** TPM_ECC_CURVE; 0 for others. */
  readonly curve: number;
  /** RSA public exponent; 0 for others. */
  readonly exponent: number;
}

const ASYMMETRIC: readonly number[] = [ALGORITHM.rsa, ALGORITHM.ecc];

/** True when the attribute bits are all set. */
export function has({ attributes }: PublicArea, bits: number): boolean {
  return (attributes & bits) === bits;
}

/** Whether the object holds sealed data: it neither signs nor decrypts. */
export function isSealedData(area: PublicArea): boolean {
  return area.type === ALGORITHM.keyedHash &&
    (area.attributes & (ATTRIBUTE.sign | ATTRIBUTE.decrypt)) === 0;
}

/** Whether the key can be a parent that sessions are salted with: an asymmetric storage key. */
export function isAsymmetricParent(area: PublicArea): boolean {
  return ASYMMETRIC.includes(area.type) &&
    has(area, ATTRIBUTE.restricted | ATTRIBUTE.decrypt);
}

/** Reads a whole TPM2B_PUBLIC. Throws {@link WireError} when it is malformed. */
export function parsePublicArea(encoded: Uint8Array): PublicArea {
  const outer = new WireReader(encoded);
  const area = new WireReader(outer.sized());
  outer.end();
  const type = area.u16();
  const nameHash = HASHES[area.u16()];
  if (!nameHash) throw new WireError("a TPM object named by an unknown hash");
  const attributes = area.u32();
  const hasPolicy = area.sized().length > 0;
  const rest = parametersOf(type, area);
  area.end();
  return { encoded, type, nameHash, attributes, hasPolicy, curve: 0, exponent: 0, ...rest };
}

type Parameters =
  & Pick<PublicArea, "scheme" | "unique">
  & Partial<Pick<PublicArea, "curve" | "exponent">>;

const RSA_DEFAULT_EXPONENT = 65537;

function parametersOf(type: number, area: WireReader): Parameters {
  if (type === ALGORITHM.keyedHash) {
    const scheme = schemeOf(area);
    if (scheme.algorithm !== ALGORITHM.null && scheme.algorithm !== HMAC) area.u16();
    return { scheme, unique: [area.sized()] };
  }
  if (!ASYMMETRIC.includes(type) && type !== ALGORITHM.symmetricCipher) {
    throw new WireError(`a TPM object of the unknown type 0x${type.toString(16)}`);
  }
  if (area.u16() !== ALGORITHM.null) area.take(4); // the cipher of a storage key: bits and mode
  if (type === ALGORITHM.symmetricCipher) {
    return { scheme: { algorithm: ALGORITHM.null }, unique: [area.sized()] };
  }
  const scheme = schemeOf(area);
  if (type === ALGORITHM.rsa) {
    area.u16();
    const exponent = area.u32() || RSA_DEFAULT_EXPONENT;
    return { scheme, exponent, unique: [area.sized()] };
  }
  if (scheme.algorithm === ALGORITHM.ecdaa) area.u16();
  const curve = area.u16();
  if (area.u16() !== ALGORITHM.null) area.u16(); // the key derivation function's hash
  return { scheme, curve, unique: [area.sized(), area.sized()] };
}

const HMAC = 0x0005;

function schemeOf(area: WireReader): Scheme {
  const algorithm = area.u16();
  return algorithm === ALGORITHM.null || algorithm === ALGORITHM.rsaEs
    ? { algorithm }
    : { algorithm, hash: area.u16() };
}

/** The public key of an RSA or EC object; `KeyTypeError` for others, and for unusable curves. */
export function publicKeyOfArea(area: PublicArea): PublicKey {
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
      `${ALGORITHM_NAMES[area.type] ?? "such"} TPM keys cannot be used; make an RSA or EC key`,
    );
  }
  const curve = TPM_CURVES[area.curve];
  if (!curve) {
    const name = REFUSED_CURVES[area.curve] ?? `0x${area.curve.toString(16)}`;
    throw new KeyTypeError(
      `the elliptic curve ${name} cannot be used; use P-256, P-384 or P-521`,
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
