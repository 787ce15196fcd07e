/**
 * Derivation of keys from passphrases: PKCS#5 (RFC 8018), PKCS#12 (RFC 7292 appendix B), scrypt
 * (RFC 7914) and OpenSSL's traditional function.
 *
 * The file sets the work factor. Excessive ones are refused, so that a hostile file cannot make this
 * program hang or exhaust the memory.
 *
 * @module
 */
import {
  createHash,
  pbkdf2 as pbkdf2WithCallback,
  scrypt as scryptWithCallback,
} from "node:crypto";
import { promisify } from "node:util";
import { DerError } from "../../src/x509/der.ts";
import { UnsupportedFormatError } from "./errors.ts";
import type { IterateHash } from "./hash_iterations.ts";
import type { Passphrase } from "./passphrase.ts";

/** Hash functions by their `node:crypto` names, with their block size in bytes. */
export const HASHES = {
  md5: { blockBytes: 64 },
  sha1: { blockBytes: 64 },
  sha224: { blockBytes: 64 },
  sha256: { blockBytes: 64 },
  sha384: { blockBytes: 128 },
  sha512: { blockBytes: 128 },
} as const satisfies Record<string, { blockBytes: number }>;

/** Name of a hash function. */
export type HashName = keyof typeof HASHES;

/** Largest accepted parameters. */
export const LIMITS = {
  pbkdf2Iterations: 10_000_000,
  hashIterations: 1_000_000,
  scryptMemory: 256 * 1024 * 1024,
  /** Memory times parallelization, in bytes. */
  scryptWork: 1024 * 1024 * 1024,
} as const;

const pbkdf2Promise = promisify(pbkdf2WithCallback);

/** Hashes of WebCrypto. Its PBKDF2 takes a third of the time of `node:crypto`. */
const WEB_CRYPTO_HASHES: Partial<Readonly<Record<HashName, string>>> = {
  sha1: "SHA-1",
  sha256: "SHA-256",
  sha384: "SHA-384",
  sha512: "SHA-512",
};

/** Derives `length` bytes with PBKDF2 and HMAC (RFC 8018 section 5.2). */
export async function pbkdf2(
  passphrase: Passphrase,
  salt: Uint8Array,
  iterations: number,
  length: number,
  hash: HashName,
): Promise<Uint8Array<ArrayBuffer>> {
  checkIterations(iterations, LIMITS.pbkdf2Iterations);
  const name = WEB_CRYPTO_HASHES[hash];
  if (!name) {
    return Uint8Array.from(await pbkdf2Promise(passphrase.utf8, salt, iterations, length, hash));
  }
  const key = await crypto.subtle.importKey("raw", passphrase.utf8, "PBKDF2", false, [
    "deriveBits",
  ]);
  const cost = { name: "PBKDF2", hash: name, salt: Uint8Array.from(salt), iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(cost, key, 8 * length));
}

/** Cost parameters of scrypt, with the names of RFC 7914. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** Derives `length` bytes with scrypt (RFC 7914). */
export function scrypt(
  passphrase: Passphrase,
  salt: Uint8Array,
  { N, r, p }: ScryptCost,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (N < 2 || !Number.isInteger(Math.log2(N)) || r < 1 || p < 1) {
    throw new DerError("scrypt cost parameters that are not allowed");
  }
  const memory = 128 * N * r;
  if (memory > LIMITS.scryptMemory || memory * p > LIMITS.scryptWork) {
    throw new UnsupportedFormatError(
      `its passphrase needs ${Math.ceil(memory / 1024 / 1024)} MiB of memory and ${p} rounds ` +
        "of scrypt, which exceeds the limit; encrypt the key with smaller parameters",
    );
  }
  const maxmem = 2 * memory + 128 * r * p + 1024 * 1024;
  return new Promise((resolve, reject) => {
    scryptWithCallback(passphrase.utf8, salt, length, { N, r, p, maxmem }, (error, key) => {
      if (error || !key) {
        reject(new DerError("scrypt cost parameters that are not allowed", { cause: error }));
      } else resolve(Uint8Array.from(key));
    });
  });
}

/** Derives `length` bytes, at most a digest, with PBKDF1 (RFC 8018 section 5.1). */
export async function pbkdf1(
  passphrase: Passphrase,
  salt: Uint8Array,
  iterations: number,
  length: number,
  hash: HashName,
  iterate: IterateHash,
): Promise<Uint8Array<ArrayBuffer>> {
  checkIterations(iterations, LIMITS.hashIterations);
  const first = createHash(hash).update(passphrase.utf8).update(salt).digest();
  return (await iterate(hash, first, iterations - 1)).slice(0, length);
}

/** Derives a key of a `Proc-Type` file with EVP_BytesToKey (MD5, one iteration). */
export function opensslBytesToKey(
  passphrase: Passphrase,
  salt: Uint8Array,
  length: number,
): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(length);
  let digest = new Uint8Array(0);
  for (let filled = 0; filled < length; filled += digest.length) {
    const hash = createHash("md5").update(digest).update(passphrase.utf8).update(salt);
    digest = Uint8Array.from(hash.digest());
    key.set(digest.subarray(0, length - filled), filled);
  }
  return key;
}

/** Purposes of a PKCS#12 key: the diversifier of RFC 7292 appendix B.3. */
export const PKCS12_PURPOSE = { key: 1, iv: 2, mac: 3 } as const;

/** Derives `length` bytes with the key derivation of PKCS#12 (RFC 7292 appendix B.2). */
export async function pkcs12Kdf(
  passphrase: Passphrase,
  salt: Uint8Array,
  iterations: number,
  length: number,
  hash: HashName,
  purpose: keyof typeof PKCS12_PURPOSE,
  iterate: IterateHash,
): Promise<Uint8Array<ArrayBuffer>> {
  checkIterations(iterations, LIMITS.hashIterations);
  const { blockBytes } = HASHES[hash];
  const diversifier = new Uint8Array(blockBytes).fill(PKCS12_PURPOSE[purpose]);
  const saltPart = repeatToBlocks(salt, blockBytes);
  const input = new Uint8Array(
    saltPart.length + blockBytes * Math.ceil(passphrase.bmpString.length / blockBytes),
  );
  input.set(saltPart);
  input.set(repeatToBlocks(passphrase.bmpString, blockBytes), saltPart.length);

  const key = new Uint8Array(length);
  try {
    for (let filled = 0; filled < length;) {
      const first = createHash(hash).update(diversifier).update(input).digest();
      const digest = await iterate(hash, first, iterations - 1);
      key.set(digest.subarray(0, length - filled), filled);
      filled += digest.length;
      addToBlocks(input, repeatToBlocks(digest, blockBytes).subarray(0, blockBytes));
    }
    return key;
  } finally {
    input.fill(0);
  }
}

/** Repeats `bytes` up to the next multiple of the block size. Returns nothing for no bytes. */
function repeatToBlocks(bytes: Uint8Array, blockBytes: number): Uint8Array {
  const result = new Uint8Array(blockBytes * Math.ceil(bytes.length / blockBytes));
  for (let i = 0; i < result.length; i++) result[i] = bytes[i % bytes.length] ?? 0;
  return result;
}

/** Adds `addend + 1` to each block of `input`, as big-endian numbers without their carry. */
function addToBlocks(input: Uint8Array, addend: Uint8Array): void {
  for (let block = 0; block < input.length; block += addend.length) {
    let carry = 1;
    for (let i = addend.length - 1; i >= 0; i--) {
      carry += (input[block + i] ?? 0) + (addend[i] ?? 0);
      input[block + i] = carry & 0xff;
      carry >>= 8;
    }
  }
}

function checkIterations(iterations: number, max: number): void {
  if (iterations < 1) throw new DerError("an iteration count that is not positive");
  if (iterations > max) {
    throw new UnsupportedFormatError(
      `its passphrase needs ${iterations} iterations, more than the limit of ${max}; ` +
        "encrypt the key with fewer",
    );
  }
}
