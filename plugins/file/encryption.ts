/**
 * Password-based encryption as AlgorithmIdentifiers name it: PBES2 and PBES1 (RFC 8018) and the
 * schemes of PKCS#12 (RFC 7292 appendix C).
 *
 * @module
 */
import { DerError, DerReader, readSequence, TAG } from "../../src/x509/der.ts";
import { algorithmOf } from "../../src/x509/public_key.ts";
import { type CipherName, CIPHERS, decryptCbc } from "./cipher.ts";
import { UnsupportedFormatError, WrongPassphraseError } from "./failures.ts";
import type { IterateHash } from "./hash_iterations.ts";
import { type HashName, pbkdf1, pbkdf2, pkcs12Kdf, scrypt } from "./key_derivation.ts";
import type { Passphrase } from "./passphrase.ts";

const OID = {
  pbes2: "1.2.840.113549.1.5.13",
  pbkdf2: "1.2.840.113549.1.5.12",
  scrypt: "1.3.6.1.4.1.11591.4.11",
} as const;

const PBES2_CIPHERS: Readonly<Record<string, CipherName>> = {
  "2.16.840.1.101.3.4.1.2": "AES-128-CBC",
  "2.16.840.1.101.3.4.1.22": "AES-192-CBC",
  "2.16.840.1.101.3.4.1.42": "AES-256-CBC",
  "1.2.840.113549.3.7": "DES-EDE3-CBC",
  "1.3.14.3.2.7": "DES-CBC",
};

/** HMAC by object identifier; the one PBKDF2 takes when none is named is with SHA-1. */
const HMAC_HASHES: Readonly<Record<string, HashName>> = {
  "1.2.840.113549.2.7": "sha1",
  "1.2.840.113549.2.8": "sha224",
  "1.2.840.113549.2.9": "sha256",
  "1.2.840.113549.2.10": "sha384",
  "1.2.840.113549.2.11": "sha512",
};

interface OldScheme {
  readonly derivation: "PBKDF1" | "PKCS#12";
  readonly hash: HashName;
  readonly cipher: CipherName;
}

const OLD_SCHEMES: Readonly<Record<string, OldScheme>> = {
  "1.2.840.113549.1.5.3": { derivation: "PBKDF1", hash: "md5", cipher: "DES-CBC" },
  "1.2.840.113549.1.5.6": { derivation: "PBKDF1", hash: "md5", cipher: "RC2-64-CBC" },
  "1.2.840.113549.1.5.10": { derivation: "PBKDF1", hash: "sha1", cipher: "DES-CBC" },
  "1.2.840.113549.1.5.11": { derivation: "PBKDF1", hash: "sha1", cipher: "RC2-64-CBC" },
  "1.2.840.113549.1.12.1.3": { derivation: "PKCS#12", hash: "sha1", cipher: "DES-EDE3-CBC" },
  "1.2.840.113549.1.12.1.4": { derivation: "PKCS#12", hash: "sha1", cipher: "DES-EDE-CBC" },
  "1.2.840.113549.1.12.1.5": { derivation: "PKCS#12", hash: "sha1", cipher: "RC2-128-CBC" },
  "1.2.840.113549.1.12.1.6": { derivation: "PKCS#12", hash: "sha1", cipher: "RC2-40-CBC" },
};

/**
 * Decrypts with the scheme that the contents of an AlgorithmIdentifier name.
 *
 * Throws `WrongPassphraseError` when the passphrase does not fit, `UnsupportedFormatError` when the
 * scheme is unknown or too costly, {@link DerError} when parameters are malformed.
 */
export async function decrypt(
  algorithm: DerReader,
  ciphertext: Uint8Array,
  passphrase: Passphrase,
  iterate: IterateHash,
): Promise<Uint8Array<ArrayBuffer>> {
  const { oid, parameters = new Uint8Array(0) } = algorithmOf(algorithm);
  algorithm.end();
  const old = OLD_SCHEMES[oid];
  if (oid !== OID.pbes2 && !old) throw unsupported(`the encryption scheme ${oid}`);
  const { cipher, key, iv } = old
    ? await deriveOld(old, readSequence(parameters), passphrase, iterate)
    : await derivePbes2(readSequence(parameters), passphrase);
  try {
    return await decryptCbc(cipher, key, iv, Uint8Array.from(ciphertext));
  } finally {
    key.fill(0);
  }
}

/**
 * Decrypts an EncryptedPrivateKeyInfo (RFC 5958 section 3) to the PKCS#8 in it. Throws as
 * {@link decrypt} does.
 */
export async function decryptPkcs8(
  der: Uint8Array,
  passphrase: Passphrase,
  iterate: IterateHash,
): Promise<Uint8Array<ArrayBuffer>> {
  const info = readSequence(der);
  const algorithm = info.sequence();
  const ciphertext = info.octetString();
  info.end();
  return checkedPlaintext(await decrypt(algorithm, ciphertext, passphrase, iterate));
}

/** One wrong passphrase in 256 leaves a padding that looks right; what comes out is then no DER. */
export function checkedPlaintext(plaintext: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  try {
    readSequence(plaintext);
    return plaintext;
  } catch (cause) {
    plaintext.fill(0);
    throw new WrongPassphraseError("what was decrypted is not DER", { cause });
  }
}

/** The hash of an HMAC by object identifier. */
export function hmacHash(oid: string): HashName {
  const hash = HMAC_HASHES[oid];
  if (!hash) throw unsupported(`the pseudo-random function ${oid}`);
  return hash;
}

interface CipherKey {
  readonly cipher: CipherName;
  readonly key: Uint8Array<ArrayBuffer>;
  readonly iv: Uint8Array<ArrayBuffer>;
}

async function deriveOld(
  scheme: OldScheme,
  parameters: DerReader,
  passphrase: Passphrase,
  iterate: IterateHash,
): Promise<CipherKey> {
  const salt = parameters.octetString();
  const iterations = parameters.smallInteger();
  parameters.end();
  const { cipher, hash } = scheme;
  const { keyBytes, blockBytes } = CIPHERS[cipher];
  if (scheme.derivation === "PBKDF1") {
    const length = keyBytes + blockBytes;
    const derived = await pbkdf1(passphrase, salt, iterations, length, hash, iterate);
    return { cipher, key: derived.slice(0, keyBytes), iv: derived.slice(keyBytes) };
  }
  return {
    cipher,
    key: await pkcs12Kdf(passphrase, salt, iterations, keyBytes, hash, "key", iterate),
    iv: await pkcs12Kdf(passphrase, salt, iterations, blockBytes, hash, "iv", iterate),
  };
}

async function derivePbes2(parameters: DerReader, passphrase: Passphrase): Promise<CipherKey> {
  const derivation = algorithmOf(parameters.sequence());
  const encryption = algorithmOf(parameters.sequence());
  parameters.end();
  const cipher = PBES2_CIPHERS[encryption.oid];
  if (!cipher) throw unsupported(`the cipher ${encryption.oid}`);
  const iv = new DerReader(encryption.parameters ?? new Uint8Array(0)).octetString();
  const { keyBytes } = CIPHERS[cipher];
  const cost = readSequence(derivation.parameters ?? new Uint8Array(0));
  let key: Uint8Array<ArrayBuffer>;
  if (derivation.oid === OID.pbkdf2) key = await derivePbkdf2(cost, keyBytes, passphrase);
  else if (derivation.oid === OID.scrypt) key = await deriveScrypt(cost, keyBytes, passphrase);
  else throw unsupported(`the key derivation ${derivation.oid}`);
  return { cipher, key, iv: Uint8Array.from(iv) };
}

/** `PBKDF2-params`: a key of `keyBytes`, which must be the length the parameters name, if they do. */
export async function derivePbkdf2(
  parameters: DerReader,
  keyBytes: number | undefined,
  passphrase: Passphrase,
): Promise<Uint8Array<ArrayBuffer>> {
  const salt = parameters.octetString();
  const iterations = parameters.smallInteger();
  const named = parameters.peekTag() === TAG.integer ? parameters.smallInteger() : keyBytes;
  const hash = parameters.atEnd ? "sha1" : hmacHash(algorithmOf(parameters.sequence()).oid);
  parameters.end();
  if (named === undefined || named < 1 || named > 64 || named !== (keyBytes ?? named)) {
    throw new DerError("a key length that is not the cipher's");
  }
  return await pbkdf2(passphrase, salt, iterations, named, hash);
}

async function deriveScrypt(
  parameters: DerReader,
  keyBytes: number,
  passphrase: Passphrase,
): Promise<Uint8Array<ArrayBuffer>> {
  const salt = parameters.octetString();
  const cost = {
    N: parameters.smallInteger(),
    r: parameters.smallInteger(),
    p: parameters.smallInteger(),
  };
  const named = parameters.atEnd ? keyBytes : parameters.smallInteger();
  parameters.end();
  if (named !== keyBytes) throw new DerError("a key length that is not the cipher's");
  return await scrypt(passphrase, salt, cost, keyBytes);
}

function unsupported(what: string): UnsupportedFormatError {
  return new UnsupportedFormatError(
    `${what} is not known; convert the file with: openssl pkcs8 -topk8 -v2 aes-256-cbc`,
  );
}
