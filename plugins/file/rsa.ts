/**
 * RSA keys: PKCS#1 v1.5 signatures (RFC 8017 section 8.2).
 *
 * @module
 */
import {
  DerError,
  encodeElement,
  encodeSequence,
  encodeUnsignedInteger,
  readSequence,
  TAG,
  toBigInt,
  unsigned,
} from "../../src/x509/der.ts";
import { KeyTypeError } from "../../src/x509/key_types.ts";
import { type PublicKey, RSA_ALGORITHM, rsaPublicKey } from "../../src/x509/public_key.ts";
import type { Digest } from "../../src/x509/verify_signature.ts";
import type { PrivateKey, PrivateKeyInfo } from "./private_key_info.ts";

/** WebCrypto's name of PKCS#1 v1.5 signatures. */
const SCHEME = "RSASSA-PKCS1-v1_5";
/**
 * Maximum difference of the primes' lengths, bytes. For n bits of difference the runtime takes 2^n steps:
 * a key of 1000 and 1048 bits never signed.
 */
const MAX_PRIME_DIFFERENCE = 1;
/** Largest public exponent that the runtime accepts, in bits. */
const MAX_EXPONENT_BITS = 33;

/**
 * Makes a key from an RSAPrivateKey. Throws `DerError` if it is malformed or inconsistent. Its signatures
 * throw `DerError` if a prime is not one: to find that out takes longer than to sign.
 */
export async function openRsaKey(info: PrivateKeyInfo): Promise<PrivateKey> {
  const publicKey = publicKeyOfPrivate(info.privateKey);
  const pkcs8 = encodeSequence(
    encodeUnsignedInteger(Uint8Array.of(0)),
    RSA_ALGORITHM,
    encodeElement(TAG.octetString, info.privateKey),
  );
  try {
    const keys = await importForAllDigests(pkcs8);
    return {
      publicKey,
      sign: (message, digest) => sign(keys[digest], message),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  } finally {
    pkcs8.fill(0);
  }
}

async function sign(key: CryptoKey, message: Uint8Array): Promise<Uint8Array> {
  try {
    return new Uint8Array(await crypto.subtle.sign(SCHEME, key, Uint8Array.from(message)));
  } catch (cause) {
    throw new DerError("an RSA key that cannot sign", { cause });
  }
}

/** Imports the key once for each hash function, because WebCrypto binds a key to one. */
async function importForAllDigests(
  pkcs8: Uint8Array<ArrayBuffer>,
): Promise<Readonly<Record<Digest, CryptoKey>>> {
  const importFor = async (hash: Digest) =>
    await crypto.subtle.importKey("pkcs8", pkcs8, { name: SCHEME, hash }, false, ["sign"]);
  try {
    return {
      "SHA-256": await importFor("SHA-256"),
      "SHA-384": await importFor("SHA-384"),
      "SHA-512": await importFor("SHA-512"),
    };
  } catch (cause) {
    throw new DerError("an RSA key with numbers that are not in their shortest form", { cause });
  }
}

/**
 * Reads the public key. Throws `DerError` unless modulus, exponents and primes belong together (RFC 8017
 * section 3.2). The runtime itself computes the other numbers.
 */
function publicKeyOfPrivate(privateKey: Uint8Array): PublicKey {
  const reader = readSequence(privateKey);
  if (reader.smallInteger() !== 0) {
    throw new KeyTypeError("RSA keys of more than two primes cannot be used; make a new key");
  }
  const [modulus, exponent] = [positive(reader.integer()), positive(reader.integer())];
  const secrets = Array.from({ length: 6 }, () => positive(reader.integer()));
  reader.end();
  const exponentBits = exponent.length * 8 - Math.clz32(exponent[0] ?? 0) + 24;
  if (exponentBits > MAX_EXPONENT_BITS) {
    throw new KeyTypeError(
      `RSA keys with a public exponent of ${exponentBits} bits cannot be used; the common one is 65537`,
    );
  }
  const publicKey = rsaPublicKey(modulus, exponent);
  const [dLength = 0, pLength = 0, qLength = 0] = secrets.map(({ length }) => length);
  if (Math.max(dLength, pLength, qLength) > modulus.length + 1) {
    throw new DerError("an RSA key with a number that is too long");
  }
  // They cannot be wiped; the runtime keeps the key in memory, too.
  const [n, e] = [toBigInt(modulus), toBigInt(exponent)];
  const [d = 0n, p = 0n, q = 0n] = secrets.slice(0, 3).map(toBigInt);
  const isConsistent = e > 1n && p > 1n && q > 1n && p * q === n &&
    e * d % (p - 1n) === 1n && e * d % (q - 1n) === 1n;
  if (!isConsistent) throw new DerError("the numbers of the RSA key do not match");
  if (Math.abs(pLength - qLength) > MAX_PRIME_DIFFERENCE) {
    throw new KeyTypeError(
      "RSA keys with primes of different lengths cannot be used; make a new key",
    );
  }
  return publicKey;
}

function positive(contents: Uint8Array): Uint8Array {
  const value = unsigned(contents);
  if ((contents[0] ?? 0) >= 0x80 || value.every((byte) => byte === 0)) {
    throw new DerError("an RSA key with a number that is not positive");
  }
  return value;
}
