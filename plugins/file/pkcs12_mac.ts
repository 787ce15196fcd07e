/**
 * MAC of a PKCS#12 file. It is PBMAC1 (RFC 9579), or HMAC with a key from the PKCS#12 KDF (RFC 7292
 * section 5.1).
 *
 * @module
 */
import { createHmac } from "node:crypto";
import type { MacData } from "pkijs";
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import { DerError, type DerReader, readSequence } from "../../src/x509/der.ts";
import { readAlgorithmIdentifier } from "../../src/x509/public_key.ts";
import { encodeDer } from "./ber.ts";
import { derivePbkdf2, hmacHash } from "./encryption.ts";
import { UnsupportedCipherError } from "./errors.ts";
import type { IterateHash } from "./hash_iterations.ts";
import { type HashName, pkcs12Kdf } from "./key_derivation.ts";
import type { Passphrase } from "./passphrase.ts";

const HASH_OIDS: Readonly<Record<string, HashName>> = {
  "1.2.840.113549.2.5": "md5",
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.4": "sha224",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
/** Names of unsupported hashes, for messages. */
const UNSUPPORTED_HASHES: Readonly<Record<string, string>> = {
  "2.16.840.1.101.3.4.2.5": "a MAC with SHA-512/224",
  "2.16.840.1.101.3.4.2.6": "a MAC with SHA-512/256",
  "2.16.840.1.101.3.4.2.7": "a MAC with SHA3-224",
  "2.16.840.1.101.3.4.2.8": "a MAC with SHA3-256",
  "2.16.840.1.101.3.4.2.9": "a MAC with SHA3-384",
  "2.16.840.1.101.3.4.2.10": "a MAC with SHA3-512",
  "1.2.643.7.1.1.2.2": "a MAC with Streebog-256",
  "1.2.643.7.1.1.2.3": "a MAC with Streebog-512",
  "1.3.36.3.2.1": "a MAC with RIPEMD-160",
};
const HASH_BYTES: Readonly<Record<HashName, number>> = {
  md5: 16,
  sha1: 20,
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
};
const PBMAC1 = "1.2.840.113549.1.5.14";
const PBKDF2 = "1.2.840.113549.1.5.12";

/**
 * Checks MacData over the authenticated bytes, in constant time. Throws {@link DerError} if it is
 * malformed, and {@link UnsupportedCipherError} if its algorithm is not supported.
 */
export async function isAuthentic(
  { mac, macSalt, iterations = 1 }: MacData,
  authenticated: Uint8Array,
  passphrase: Passphrase,
  iterate: IterateHash,
): Promise<boolean> {
  const algorithm = readAlgorithmIdentifier(
    readSequence(encodeDer(mac.digestAlgorithm.toSchema())),
  );
  const expected = new Uint8Array(mac.digest.getValue());
  const salt = new Uint8Array(macSalt.getValue());
  const { hash, key } = algorithm.oid === PBMAC1
    ? await derivePbmac1(readSequence(algorithm.parameters ?? new Uint8Array(0)), passphrase)
    : await deriveHmacKey(algorithm.oid, salt, iterations, passphrase, iterate);
  const actual = createHmac(hash, key).update(authenticated).digest();
  key.fill(0);
  if (expected.length !== actual.length) throw new DerError("a MAC of wrong length");
  return timingSafeEqual(new Uint8Array(actual), expected);
}

interface MacKey {
  readonly hash: HashName;
  readonly key: Uint8Array<ArrayBuffer>;
}

async function deriveHmacKey(
  oid: string,
  salt: Uint8Array,
  iterations: number,
  passphrase: Passphrase,
  iterate: IterateHash,
): Promise<MacKey> {
  const hash = HASH_OIDS[oid];
  if (!hash) {
    const name = UNSUPPORTED_HASHES[oid];
    throw new UnsupportedCipherError(
      name ?? `the MAC algorithm ${oid}`,
      name && !name.includes("Streebog") ? "default" : "none",
    );
  }
  const length = HASH_BYTES[hash];
  const key = await pkcs12Kdf(passphrase, salt, iterations, length, hash, "mac", iterate);
  return { hash, key };
}

async function derivePbmac1(parameters: DerReader, passphrase: Passphrase): Promise<MacKey> {
  const derivation = readAlgorithmIdentifier(parameters.sequence());
  const hash = hmacHash(readAlgorithmIdentifier(parameters.sequence()).oid);
  parameters.end();
  if (derivation.oid !== PBKDF2) throw new DerError("a PBMAC1 key derivation other than PBKDF2");
  const cost = readSequence(derivation.parameters ?? new Uint8Array(0));
  return { hash, key: await derivePbkdf2(cost, undefined, passphrase) };
}
