import { Buffer } from "node:buffer";
import { createPublicKey, verify, webcrypto } from "node:crypto";

import { readElements, readOnly } from "../support/der.ts";
import { publicKeyBits, publicKeyIdentifiers } from "./certificate.ts";

/** Types of keys that Roles Anywhere supports. */
export type KeyKind = "RSA" | "EC" | "ML-DSA";

/** Hashes of signatures. */
export type HashName = "SHA-256" | "SHA-384" | "SHA-512";

const KEY_KINDS: Readonly<Record<string, KeyKind>> = {
  "1.2.840.113549.1.1.1": "RSA",
  "1.2.840.10045.2.1": "EC",
  "2.16.840.1.101.3.4.3.17": "ML-DSA",
  "2.16.840.1.101.3.4.3.18": "ML-DSA",
  "2.16.840.1.101.3.4.3.19": "ML-DSA",
};
const CURVE_P521 = "1.3.132.0.35";
const P521_OCTETS = 66;

/** Returns the type of a SubjectPublicKeyInfo's key; undefined if the service does not support it. */
export function keyKind(publicKeyInfo: Uint8Array<ArrayBuffer>): KeyKind | undefined {
  try {
    return KEY_KINDS[publicKeyIdentifiers(publicKeyInfo).algorithm];
  } catch {
    return undefined;
  }
}

/**
 * Returns true if `signature` is the key's signature of `message`. It is RSA PKCS#1 v1.5 or ECDSA
 * (DER) with `hash`. ML-DSA signs the message itself with an empty context, and `hash` does not
 * matter. A key or a signature that cannot be read returns false.
 */
export async function verifySignature(
  publicKeyInfo: Uint8Array<ArrayBuffer>,
  hash: HashName,
  message: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  try {
    const { algorithm, curve } = publicKeyIdentifiers(publicKeyInfo);
    if (KEY_KINDS[algorithm] === "ML-DSA") {
      return await verifyMldsa(algorithm, publicKeyBits(publicKeyInfo), message, signature);
    }
    if (curve === CURVE_P521) return await verifyP521(publicKeyInfo, hash, message, signature);
    const key = createPublicKey({ key: toBuffer(publicKeyInfo), format: "der", type: "spki" });
    return verify(hash.replace("-", "").toLowerCase(), message, key, signature);
  } catch {
    return false;
  }
}

function toBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes);
}

// Deno 2.7's verify() calls every P-521 signature over SHA-256 false; its WebCrypto does not.
async function verifyP521(
  publicKeyInfo: Uint8Array<ArrayBuffer>,
  hash: HashName,
  message: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const { subtle } = webcrypto;
  const algorithm = { name: "ECDSA", namedCurve: "P-521" };
  const key = await subtle.importKey("spki", publicKeyInfo, algorithm, false, ["verify"]);
  const raw = new Uint8Array(2 * P521_OCTETS);
  const numbers = readElements(readOnly(signature, 0x30).contents);
  if (numbers.length !== 2) return false;
  for (const [index, number] of numbers.entries()) {
    const digits = number.contents[0] === 0 ? number.contents.subarray(1) : number.contents;
    raw.set(digits, (index + 1) * P521_OCTETS - digits.length);
  }
  return await subtle.verify({ name: "ECDSA", hash }, key, raw, message);
}

async function verifyMldsa(
  algorithm: string,
  publicKey: Uint8Array<ArrayBuffer>,
  message: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const { ml_dsa44, ml_dsa65, ml_dsa87 } = await import("@noble/post-quantum/ml-dsa.js");
  const scheme = { "17": ml_dsa44, "18": ml_dsa65, "19": ml_dsa87 }[algorithm.slice(-2)];
  return scheme?.verify(signature, message, publicKey) ?? false;
}
