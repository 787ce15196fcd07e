/**
 * Signature scheme and digest length for a TPM key, and decoder for its signatures.
 *
 * @module
 */
import { encodeSequence, encodeUnsignedInteger } from "../../../src/x509/der.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import type { Digest } from "../../../src/x509/verify_signature.ts";
import {
  ALGORITHM,
  ALGORITHM_NAMES,
  DIGEST_HASHES,
  type Hash,
  HASHES,
  TPM_CURVES,
} from "../structures/algorithms.ts";
import { ATTRIBUTE, hasAttributes, type PublicArea } from "../structures/public_area.ts";
import { u16, wire, WireError, WireReader } from "../structures/wire.ts";

/** Parameters to sign a digest with a key. */
export interface SigningPlan {
  /** TPMT_SIG_SCHEME. */
  readonly scheme: Uint8Array;
  /** The hash to name to the TPM, which expects a digest of its length. */
  readonly hash: Hash;
  /** True if the TPM must hash the message itself. */
  readonly restricted: boolean;
  /** Fits a digest to the length of `hash`. */
  fit(digest: Uint8Array): Uint8Array;
}

/** The scheme of each key type that IAM Roles Anywhere accepts. */
const SCHEME_OF: Readonly<Record<number, number>> = {
  [ALGORITHM.rsa]: ALGORITHM.rsaSsa,
  [ALGORITHM.ecc]: ALGORITHM.ecdsa,
};

/** Throws `KeyTypeError` for a key that cannot make a supported signature. */
export function checkCanSign(area: PublicArea): void {
  if (!hasAttributes(area, ATTRIBUTE.sign)) {
    throw new KeyTypeError(
      "not a signing key (the sign attribute is missing); make a key with the sign attribute",
    );
  }
  const { algorithm } = area.scheme;
  if (algorithm !== ALGORITHM.null && algorithm !== SCHEME_OF[area.type]) {
    throw new KeyTypeError(
      `the key signs only with ${
        ALGORITHM_NAMES[algorithm] ?? `scheme 0x${algorithm.toString(16)}`
      }; make a key without a fixed scheme (IAM Roles Anywhere needs PKCS#1 v1.5 or ECDSA)`,
    );
  }
}

/** Returns the parameters for a digest. Throws `KeyTypeError` if the key does not sign it. */
export function planSignature(area: PublicArea, digest: Digest): SigningPlan {
  checkCanSign(area);
  const wanted = DIGEST_HASHES[digest];
  const isFixed = area.scheme.algorithm !== ALGORITHM.null;
  const restricted = hasAttributes(area, ATTRIBUTE.restricted);
  const fixed = HASHES[area.scheme.hash ?? 0];
  const coordinateBytes = TPM_CURVES[area.curve]?.coordinateBytes;
  const hash = isFixed ? fixed : coordinateBytes ? hashForCurve(wanted, coordinateBytes) : wanted;
  const exact = hash === wanted;
  const fits = hash && (exact || (coordinateBytes !== undefined && !restricted &&
    Math.min(wanted.length, coordinateBytes) <= hash.length));
  if (!fits) {
    throw new KeyTypeError(
      `the key signs only ${
        hash?.name ?? "other"
      } digests, not ${digest}; set --digest, or make a ` +
        "key without a fixed scheme",
    );
  }
  return {
    // A key with a fixed scheme does not accept another.
    scheme: isFixed
      ? u16(ALGORITHM.null)
      : wire(u16(SCHEME_OF[area.type] ?? ALGORITHM.null), u16(hash.algorithm)),
    hash,
    restricted,
    fit: (bytes) => exact ? bytes : fitDigest(bytes, hash.length, coordinateBytes ?? 0),
  };
}

/** Returns the longest hash that fits the curve, so that the TPM does not truncate. */
function hashForCurve(wanted: Hash, coordinateBytes: number): Hash {
  if (wanted.length <= coordinateBytes) return wanted;
  return Object.values(DIGEST_HASHES).find(({ length }) => length === coordinateBytes) ?? wanted;
}

/**
 * Converts a digest to another length with the same ECDSA value. FIPS 186-5 section 6.4.1 uses the
 * leftmost bits, up to the curve's length. It is cut to the curve's length, then padded with
 * leading zeros, or with trailing zeros that the TPM truncates.
 */
export function fitDigest(digest: Uint8Array, length: number, coordinateBytes: number): Uint8Array {
  const kept = digest.subarray(0, coordinateBytes);
  const fitted = new Uint8Array(length);
  fitted.set(kept, Math.min(length, coordinateBytes) - kept.length);
  return fitted;
}

/** Converts TPMT_SIGNATURE to the X.509 form: PKCS#1 bytes, or DER `r, s`. */
export function decodeSignature(encoded: Uint8Array): Uint8Array<ArrayBuffer> {
  const reader = new WireReader(encoded);
  const algorithm = reader.u16();
  reader.u16();
  if (algorithm === ALGORITHM.rsaSsa) return Uint8Array.from(reader.tpm2b());
  if (algorithm === ALGORITHM.ecdsa) {
    return encodeSequence(
      encodeUnsignedInteger(reader.tpm2b()),
      encodeUnsignedInteger(reader.tpm2b()),
    );
  }
  throw new WireError(`a signature of the unexpected type 0x${algorithm.toString(16)}`);
}
