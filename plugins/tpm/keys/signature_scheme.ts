/**
 * How a TPM key signs a digest: its scheme, the form of the digest, and the signature that comes of
 * it.
 *
 * @module
 */
import type { Digest } from "../../../src/keystore/types.ts";
import { encodeSequence, encodeUnsignedInteger } from "../../../src/x509/der.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import {
  ALGORITHM,
  ALGORITHM_NAMES,
  type Hash,
  HASH_OF,
  HASHES,
  TPM_CURVES,
} from "../structures/algorithms.ts";
import { ATTRIBUTE, has, type PublicArea } from "../structures/public_area.ts";
import { u16, wire, WireError, WireReader } from "../structures/wire.ts";

/** How one digest is signed with one key. */
export interface SigningPlan {
  /** TPMT_SIG_SCHEME. */
  readonly scheme: Uint8Array;
  /** The hash that the TPM takes the digest for; its length is what the TPM wants. */
  readonly hash: Hash;
  /** The TPM must hash the message itself. */
  readonly restricted: boolean;
  /** Brings a digest into that length. */
  fit(digest: Uint8Array): Uint8Array;
}

/** The scheme of each key type that IAM Roles Anywhere takes. */
const SCHEME_OF: Readonly<Record<number, number>> = {
  [ALGORITHM.rsa]: ALGORITHM.rsaSsa,
  [ALGORITHM.ecc]: ALGORITHM.ecdsa,
};

/** Throws `KeyTypeError` for a key that can never make a signature that counts. */
export function checkCanSign(area: PublicArea): void {
  if (!has(area, ATTRIBUTE.sign)) {
    throw new KeyTypeError(
      "it is no signing key (its attributes lack sign); make a key with the sign attribute",
    );
  }
  const { algorithm } = area.scheme;
  if (algorithm !== ALGORITHM.null && algorithm !== SCHEME_OF[area.type]) {
    throw new KeyTypeError(
      `it signs with ${
        ALGORITHM_NAMES[algorithm] ?? `scheme 0x${algorithm.toString(16)}`
      } alone; ` +
        "IAM Roles Anywhere needs PKCS#1 v1.5 or ECDSA, so make a key without a fixed scheme",
    );
  }
}

/** The plan for a digest. Throws `KeyTypeError` when the key does not sign it. */
export function signingPlan(area: PublicArea, digest: Digest): SigningPlan {
  checkCanSign(area);
  const wanted = HASH_OF[digest];
  const isFixed = area.scheme.algorithm !== ALGORITHM.null;
  const restricted = has(area, ATTRIBUTE.restricted);
  const fixed = HASHES[area.scheme.hash ?? 0];
  const coordinateBytes = TPM_CURVES[area.curve]?.coordinateBytes;
  const hash = isFixed ? fixed : coordinateBytes ? hashForCurve(wanted, coordinateBytes) : wanted;
  const exact = hash === wanted;
  const fits = hash && (exact || (coordinateBytes !== undefined && !restricted &&
    Math.min(wanted.length, coordinateBytes) <= hash.length));
  if (!fits) {
    throw new KeyTypeError(
      `it signs ${hash?.name ?? "other"} digests alone, not ${digest} ones; ` +
        "give its digest with --digest, or make a key without a fixed scheme",
    );
  }
  return {
    // A key with a scheme of its own is not told another.
    scheme: isFixed
      ? u16(ALGORITHM.null)
      : wire(u16(SCHEME_OF[area.type] ?? ALGORITHM.null), u16(hash.algorithm)),
    hash,
    restricted,
    fit: (bytes) => exact ? bytes : fitDigest(bytes, hash.length, coordinateBytes ?? 0),
  };
}

/** The longest hash that the curve takes whole, so that no TPM has to truncate. */
function hashForCurve(wanted: Hash, coordinateBytes: number): Hash {
  if (wanted.length <= coordinateBytes) return wanted;
  return Object.values(HASH_OF).find(({ length }) => length === coordinateBytes) ?? wanted;
}

/**
 * The same number for ECDSA in another length (FIPS 186-5 section 6.4.1 takes the leftmost bits, as
 * many as the curve has): cut to the curve's length, zeros put before it, or behind it where the TPM
 * will cut them off.
 */
export function fitDigest(digest: Uint8Array, length: number, coordinateBytes: number): Uint8Array {
  const kept = digest.subarray(0, coordinateBytes);
  const fitted = new Uint8Array(length);
  fitted.set(kept, Math.min(length, coordinateBytes) - kept.length);
  return fitted;
}

/** From TPMT_SIGNATURE to what certificates' algorithms use: PKCS#1 bytes, or DER `r, s`. */
export function decodeSignature(encoded: Uint8Array): Uint8Array<ArrayBuffer> {
  const reader = new WireReader(encoded);
  const algorithm = reader.u16();
  reader.u16();
  if (algorithm === ALGORITHM.rsaSsa) return Uint8Array.from(reader.sized());
  if (algorithm === ALGORITHM.ecdsa) {
    return encodeSequence(
      encodeUnsignedInteger(reader.sized()),
      encodeUnsignedInteger(reader.sized()),
    );
  }
  throw new WireError(`a signature of the unexpected kind 0x${algorithm.toString(16)}`);
}
