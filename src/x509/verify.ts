/**
 * Verifying a signature with the public key it is said to belong to.
 *
 * @module
 */
import { DerError, DerReader, readSequence, unsigned } from "./der.ts";
import { type Curve, isMlDsa, type MlDsaKeyType } from "./key_types.ts";
import type { PublicKey } from "./public_key.ts";

/** The hash functions of RSA and EC signatures, by their WebCrypto names. */
export type SignatureDigest = "SHA-256" | "SHA-384" | "SHA-512";

/**
 * Whether `signature` is the key's over `message`: PKCS#1 v1.5 for RSA, DER `r, s` for EC; for
 * ML-DSA with an empty context, whatever the digest. Malformed signatures are none.
 */
export async function verifySignature(
  publicKey: PublicKey,
  message: Uint8Array,
  digest: SignatureDigest,
  signature: Uint8Array,
): Promise<boolean> {
  const { keyType, curve, encoded, bits } = publicKey;
  if (isMlDsa(keyType)) {
    return await verifyMlDsa(keyType, bits, message, signature);
  }
  const raw = curve ? rawEcdsaSignature(signature, curve) : signature;
  if (!raw) return false;
  const algorithm = curve
    ? { name: "ECDSA", namedCurve: curve.name, hash: digest }
    : { name: "RSASSA-PKCS1-v1_5", hash: digest };
  const key = await crypto.subtle.importKey("spki", new Uint8Array(encoded), algorithm, false, [
    "verify",
  ]);
  return await crypto.subtle.verify(
    algorithm,
    key,
    new Uint8Array(raw),
    new Uint8Array(message),
  );
}

/** `r || s`, each of a coordinate's length, from `SEQUENCE { r, s }`. */
function rawEcdsaSignature(der: Uint8Array, { coordinateBytes }: Curve): Uint8Array | undefined {
  try {
    const pair = readSequence(der);
    const numbers = [readUnsigned(pair), readUnsigned(pair)];
    pair.end();
    const raw = new Uint8Array(2 * coordinateBytes);
    for (const [i, number] of numbers.entries()) {
      if (number.length > coordinateBytes) return undefined;
      raw.set(number, (i + 1) * coordinateBytes - number.length);
    }
    return raw;
  } catch (thrown) {
    if (thrown instanceof DerError) return undefined;
    throw thrown;
  }
}

function readUnsigned(pair: DerReader): Uint8Array {
  const contents = pair.integer();
  if ((contents[0] ?? 0) >= 0x80) throw new DerError("a negative number in a signature");
  return unsigned(contents);
}

async function verifyMlDsa(
  keyType: MlDsaKeyType,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const { ml_dsa44, ml_dsa65, ml_dsa87 } = await import("@noble/post-quantum/ml-dsa.js");
  const schemes = { "ML-DSA-44": ml_dsa44, "ML-DSA-65": ml_dsa65, "ML-DSA-87": ml_dsa87 };
  try {
    return schemes[keyType].verify(signature, message, publicKey);
  } catch {
    return false; // of a length that no signature has
  }
}
