/**
 * Reads public keys from the attributes of private and public key objects.
 *
 * @module
 */
import {
  DerError,
  DerReader,
  encodeObjectIdentifier,
  encodeSequence,
  TAG,
} from "../../../src/x509/der.ts";
import {
  isMlDsa,
  KEY_TYPES,
  type KeyType,
  KeyTypeError,
  type MlDsaKeyType,
} from "../../../src/x509/key_types.ts";
import {
  ecPublicKey,
  encodePublicKey,
  parsePublicKey,
  type PublicKey,
  rsaPublicKey,
  rsaPublicNumbers,
  sameBytes,
  samePublicKey,
} from "../../../src/x509/public_key.ts";
import { CKA, CKK, CKP_ML_DSA } from "../cryptoki/constants.ts";
import type { Session } from "../module/session_pool.ts";

/** Public key attributes of a key object; each may be missing. */
export interface PublicKeyAttributes {
  /** "ML-DSA" if the object does not have its parameter set. */
  readonly type: KeyType | "ML-DSA" | "other";
  readonly publicKey?: PublicKey;
  /** RSA, big-endian. */
  readonly modulus?: Uint8Array;
  /** EC: DER of the curve's name. */
  readonly parameters?: Uint8Array;
}

/** Attributes by key type, in the order in which they are read below. */
const ATTRIBUTES = {
  RSA: [CKA.PUBLIC_KEY_INFO, CKA.MODULUS, CKA.PUBLIC_EXPONENT],
  EC: [CKA.PUBLIC_KEY_INFO, CKA.EC_PARAMS, CKA.EC_POINT],
  // CKA_VALUE of a private key is the secret key, so it is never read.
  ML_DSA: { private: [CKA.PUBLIC_KEY_INFO, CKA.PARAMETER_SET], public: [CKA.VALUE] },
} as const;

/**
 * Reads the public key attributes of a key object. Throws `KeyTypeError` for key types that are not
 * supported.
 */
export async function readPublicKeyAttributes(
  session: Session,
  object: bigint,
  keyType: number,
  objectClass: "private" | "public",
): Promise<PublicKeyAttributes> {
  if (keyType === CKK.ML_DSA) return await readMlDsaAttributes(session, object, objectClass);
  const type = keyType === CKK.RSA ? "RSA" : keyType === CKK.EC ? "EC" : undefined;
  if (!type) return { type: "other" };
  const [info, first, second] = await session.cryptoki.objects.getAttributeValues(
    session.handle,
    object,
    ATTRIBUTES[type],
  );
  const publicKey = tryParse(() => info && info.length > 0 ? parsePublicKey(info) : undefined) ??
    tryParse(() => first && second && (type === "RSA" ? rsaPublicKey : parseEcKey)(first, second));
  const part = first && first.length > 0
    ? type === "RSA" ? { modulus: stripZeros(first) } : { parameters: first }
    : {};
  return { type, ...part, ...(publicKey ? { publicKey } : {}) };
}

async function readMlDsaAttributes(
  { cryptoki, structures, handle }: Session,
  object: bigint,
  objectClass: "private" | "public",
): Promise<PublicKeyAttributes> {
  const [info, parameterSet, value] = await cryptoki.objects.getAttributeValues(handle, object, [
    ...ATTRIBUTES.ML_DSA.private,
    ...(objectClass === "public" ? ATTRIBUTES.ML_DSA.public : []),
  ]);
  const type = parameterSet && CKP_ML_DSA.get(Number(structures.readUlong(parameterSet)));
  const publicKey = tryParse(() => info && info.length > 0 ? parsePublicKey(info) : undefined) ??
    tryParse(() => type && value && value.length > 0 ? parseMlDsaKey(type, value) : undefined);
  return { type: type ?? "ML-DSA", ...(publicKey ? { publicKey } : {}) };
}

/** Compares the known attributes of a key with `publicKey`. */
export function comparePublicKey(
  part: PublicKeyAttributes,
  publicKey: PublicKey,
): "same" | "different" | "unknown" {
  if (part.publicKey) return samePublicKey(part.publicKey, publicKey) ? "same" : "different";
  if (part.type === "ML-DSA") return isMlDsa(publicKey.keyType) ? "unknown" : "different";
  if (part.type !== publicKey.keyType) return "different";
  if (part.modulus) {
    const { modulus } = rsaPublicNumbers(publicKey.bits);
    return sameBytes(part.modulus, modulus) ? "same" : "different";
  }
  const curve = publicKey.curve && encodeObjectIdentifier(publicKey.curve.oid);
  const otherCurve = part.parameters && curve && !sameBytes(part.parameters, curve);
  return otherCurve ? "different" : "unknown";
}

/** Returns the result of `read`; undefined if the bytes are malformed. */
function tryParse(read: () => PublicKey | undefined): PublicKey | undefined {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof DerError || thrown instanceof KeyTypeError) return undefined;
    throw thrown;
  }
}

/** Reads CKA_EC_POINT, a point inside an OCTET STRING. Some tokens leave the OCTET STRING out. */
function parseEcKey(parameters: Uint8Array, point: Uint8Array): PublicKey {
  const wrapped = new DerReader(point);
  const isWrapped = point[0] === TAG.octetString && point[1] !== undefined && (
    point[1] === point.length - 2 || (point[1] === 0x81 && point[2] === point.length - 3)
  );
  const bits = isWrapped ? wrapped.octetString() : point;
  return ecPublicKey(parameters, bits);
}

/** Parses CKA_VALUE of an ML-DSA public key: the raw key of FIPS 204. */
function parseMlDsaKey(type: MlDsaKeyType, value: Uint8Array): PublicKey {
  const oid = Object.entries(KEY_TYPES).find(([, known]) => known === type)?.[0] ?? "";
  return parsePublicKey(encodePublicKey(encodeSequence(encodeObjectIdentifier(oid)), value));
}

function stripZeros(bigEndian: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bigEndian.length - 1 && bigEndian[start] === 0) start++;
  return bigEndian.subarray(start);
}
