/**
 * RSA keys: PKCS#1 v1.5 signatures (RFC 8017 section 8.2).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, sign } from "node:crypto";
import {
  DerError,
  encodeElement,
  encodeSequence,
  encodeUnsignedInteger,
  readSequence,
  TAG,
  unsigned,
} from "../../src/x509/der.ts";
import { KeyTypeError } from "../../src/x509/key_types.ts";
import { type PublicKey, RSA_ALGORITHM, rsaPublicKey } from "../../src/x509/public_key.ts";
import type { Digest } from "../../src/x509/verify_signature.ts";
import type { PrivateKey, PrivateKeyInfo } from "./private_key_info.ts";

const HASH_NAMES: Readonly<Record<Digest, string>> = {
  "SHA-256": "sha256",
  "SHA-384": "sha384",
  "SHA-512": "sha512",
};
/** Largest public exponent that the runtime accepts, in bits. */
const MAX_EXPONENT_BITS = 33;

/** Makes a key from an RSAPrivateKey. Throws `DerError` if it is malformed or inconsistent. */
export function openRsaKey(info: PrivateKeyInfo): PrivateKey {
  const publicKey = publicKeyOfPrivate(info.privateKey);
  const pkcs8 = encodeSequence(
    encodeUnsignedInteger(Uint8Array.of(0)),
    RSA_ALGORITHM,
    encodeElement(TAG.octetString, info.privateKey),
  );
  try {
    const key = createPrivateKey({ key: Buffer.from(pkcs8.buffer), format: "der", type: "pkcs8" });
    return {
      publicKey,
      sign: (message, digest) => Promise.resolve(sign(HASH_NAMES[digest], message, key)),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  } catch (cause) {
    throw new DerError("the numbers of the RSA key do not match", { cause });
  } finally {
    pkcs8.fill(0);
  }
}

function publicKeyOfPrivate(privateKey: Uint8Array): PublicKey {
  const numbers = readSequence(privateKey);
  if (numbers.smallInteger() !== 0) {
    throw new KeyTypeError("RSA keys of more than two primes cannot be used; make a new key");
  }
  const [modulus, exponent] = [positive(numbers.integer()), positive(numbers.integer())];
  for (let i = 0; i < 6; i++) positive(numbers.integer());
  numbers.end();
  const exponentBits = exponent.length * 8 - Math.clz32(exponent[0] ?? 0) + 24;
  if (exponentBits > MAX_EXPONENT_BITS) {
    throw new KeyTypeError(
      `RSA keys with a public exponent of ${exponentBits} bits cannot be used; the common one is 65537`,
    );
  }
  return rsaPublicKey(modulus, exponent);
}

function positive(contents: Uint8Array): Uint8Array {
  const value = unsigned(contents);
  if ((contents[0] ?? 0) >= 0x80 || value.every((byte) => byte === 0)) {
    throw new DerError("an RSA key with a number that is not positive");
  }
  return value;
}
