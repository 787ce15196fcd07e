/**
 * Verification of signatures with a public key.
 *
 * @module
 */
import { decodeHex } from "@std/encoding/hex";
import { DerError, DerReader, readSequence, toBigInt, unsigned } from "./der.ts";
import { type Curve, isMlDsa, type MlDsaKeyType } from "./key_types.ts";
import { type PublicKey, rsaPublicNumbers, sameBytes } from "./public_key.ts";

/** Hash function of RSA and EC signatures, by its WebCrypto name. */
export type Digest = "SHA-256" | "SHA-384" | "SHA-512";

/**
 * Returns true if `signature` is the key's signature over `message`: PKCS#1 v1.5 for RSA, DER `r, s`
 * for EC. ML-DSA has an empty context and ignores `digest`. Returns false if it is malformed.
 * A signature that is being made is awaited after the public key is imported.
 */
export async function verifySignature(
  publicKey: PublicKey,
  message: Uint8Array,
  digest: Digest,
  signature: Uint8Array | Promise<Uint8Array>,
): Promise<boolean> {
  const { keyType, curve, encoded, bits } = publicKey;
  if (isMlDsa(keyType)) {
    return await verifyMlDsa(keyType, bits, message, await signature);
  }
  if (keyType === "RSA" && bits.length > MAX_RUNTIME_KEY_BYTES) {
    return await verifyLargeRsa(bits, message, digest, await signature);
  }
  const algorithm = curve
    ? { name: "ECDSA", namedCurve: curve.name, hash: digest }
    : { name: "RSASSA-PKCS1-v1_5", hash: digest };
  const key = await crypto.subtle.importKey("spki", new Uint8Array(encoded), algorithm, false, [
    "verify",
  ]);
  const raw = curve ? rawEcdsaSignature(await signature, curve) : await signature;
  if (!raw) return false;
  return await crypto.subtle.verify(
    algorithm,
    key,
    new Uint8Array(raw),
    new Uint8Array(message),
  );
}

/** Length of an RSAPublicKey of 4096 bits, in bytes. The runtime refuses larger ones as malformed. */
const MAX_RUNTIME_KEY_BYTES = 4096 / 8 + 16;
/** DER of DigestInfo before the hash (RFC 8017 section 9.2, note 1). */
const DIGEST_INFO: Readonly<Record<Digest, string>> = {
  "SHA-256": "3031300d060960864801650304020105000420",
  "SHA-384": "3041300d060960864801650304020205000430",
  "SHA-512": "3051300d060960864801650304020305000440",
};

/** Verifies RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2). All inputs are public. */
async function verifyLargeRsa(
  bits: Uint8Array,
  message: Uint8Array,
  digest: Digest,
  signature: Uint8Array,
): Promise<boolean> {
  const { modulus, exponent } = rsaPublicNumbers(bits);
  const [n, e, s] = [modulus, exponent, signature].map(toBigInt);
  if (n === undefined || e === undefined || s === undefined) return false;
  if (signature.length !== modulus.length || s >= n) return false;
  const hash = new Uint8Array(await crypto.subtle.digest(digest, new Uint8Array(message)));
  const info = Uint8Array.of(...decodeHex(DIGEST_INFO[digest]), ...hash);
  const expected = new Uint8Array(modulus.length).fill(0xff);
  expected.set([0, 1]);
  expected.set([0, ...info], expected.length - info.length - 1);
  const actual = modPow(s, e, n).toString(16).padStart(2 * modulus.length, "0");
  return sameBytes(decodeHex(actual), expected);
}

function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let factor = base; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = result * factor % modulus;
    factor = factor * factor % modulus;
  }
  return result;
}

/** Converts `SEQUENCE { r, s }` to `r || s`, each of a coordinate's length. */
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
    return false; // the length is wrong
  }
}
