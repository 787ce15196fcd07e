/**
 * Password-based encryption by AlgorithmIdentifier: PBES2 and PBES1 (RFC 8018), and the schemes of
 * PKCS#12 (RFC 7292 appendix C).
 *
 * @module
 */
import { DerError, DerReader, readSequence, TAG } from "../../src/x509/der.ts";
import { readAlgorithmIdentifier } from "../../src/x509/public_key.ts";
import { type CipherName, CIPHERS, decryptCbc } from "./cipher.ts";
import { UnsupportedCipherError, WrongPassphraseError } from "./errors.ts";
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

/** Names of unsupported algorithms, for messages. */
const UNSUPPORTED_ALGORITHMS: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.5.1": "PBE-MD2-DES",
  "1.2.840.113549.1.5.4": "PBE-MD2-RC2-64",
  "1.2.840.113549.1.12.1.1": "PBE-SHA1-RC4-128",
  "1.2.840.113549.1.12.1.2": "PBE-SHA1-RC4-40",
  "1.2.840.113549.3.2": "RC2-CBC",
  "1.2.840.113549.3.4": "RC4",
  "1.2.840.113549.3.9": "RC5-CBC",
  "1.2.840.113533.7.66.10": "CAST5-CBC",
  "1.3.6.1.4.1.188.7.1.1.2": "IDEA-CBC",
  "1.3.6.1.4.1.3029.1.2": "BF-CBC",
  "1.2.410.200004.1.4": "SEED-CBC",
  "1.2.410.200046.1.1.2": "ARIA-128-CBC",
  "1.2.410.200046.1.1.7": "ARIA-192-CBC",
  "1.2.410.200046.1.1.12": "ARIA-256-CBC",
  "1.2.392.200011.61.1.1.1.2": "CAMELLIA-128-CBC",
  "1.2.392.200011.61.1.1.1.3": "CAMELLIA-192-CBC",
  "1.2.392.200011.61.1.1.1.4": "CAMELLIA-256-CBC",
  "1.2.156.10197.1.104.2": "SM4-CBC",
  "2.16.840.1.101.3.4.1.6": "AES-128-GCM",
  "2.16.840.1.101.3.4.1.26": "AES-192-GCM",
  "2.16.840.1.101.3.4.1.46": "AES-256-GCM",
  "1.2.643.2.2.21": "GOST 28147-89",
  "1.2.643.7.1.1.5.2.1": "Kuznyechik",
  "1.2.840.113549.2.12": "HMAC with SHA-512/224",
  "1.2.840.113549.2.13": "HMAC with SHA-512/256",
  "2.16.840.1.101.3.4.2.13": "HMAC with SHA3-224",
  "2.16.840.1.101.3.4.2.14": "HMAC with SHA3-256",
  "2.16.840.1.101.3.4.2.15": "HMAC with SHA3-384",
  "2.16.840.1.101.3.4.2.16": "HMAC with SHA3-512",
  "1.2.643.7.1.1.4.1": "HMAC with Streebog-256",
  "1.2.643.7.1.1.4.2": "HMAC with Streebog-512",
};
/** Algorithms of openssl's legacy provider, and algorithms that openssl does not have. */
const LEGACY = /^(?:PBE-SHA1|RC[24]|CAST|IDEA|BF|SEED)/;
const UNKNOWN_TO_OPENSSL = /^(?:PBE-MD2|RC5|GOST|Kuz|AES|HMAC with Streebog|the )/;

/** HMAC by object identifier. The default of PBKDF2 is HMAC with SHA-1. */
const HMAC_HASHES: Readonly<Record<string, HashName>> = {
  "1.2.840.113549.2.7": "sha1",
  "1.2.840.113549.2.8": "sha224",
  "1.2.840.113549.2.9": "sha256",
  "1.2.840.113549.2.10": "sha384",
  "1.2.840.113549.2.11": "sha512",
};

/** PBES1 scheme. */
interface Pbes1Scheme {
  readonly derivation: "PBKDF1" | "PKCS#12";
  readonly hash: HashName;
  readonly cipher: CipherName;
}

const PBES1_SCHEMES: Readonly<Record<string, Pbes1Scheme>> = {
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
 * Decrypts with the scheme of an AlgorithmIdentifier.
 *
 * Throws `WrongPassphraseError` if the passphrase is wrong, and `UnsupportedCipherError` if the
 * scheme is not supported. Throws `UnsupportedFormatError` if the scheme is too costly, and {@link
 * DerError} if the parameters are malformed.
 */
export async function decrypt(
  algorithm: DerReader,
  ciphertext: Uint8Array,
  passphrase: Passphrase,
  iterate: IterateHash,
): Promise<Uint8Array<ArrayBuffer>> {
  const { oid, parameters = new Uint8Array(0) } = readAlgorithmIdentifier(algorithm);
  algorithm.end();
  const scheme = PBES1_SCHEMES[oid];
  if (oid !== OID.pbes2 && !scheme) throw unsupportedCipherError("the encryption scheme", oid);
  const { cipher, key, iv } = scheme
    ? await derivePbes1(scheme, readSequence(parameters), passphrase, iterate)
    : await derivePbes2(readSequence(parameters), passphrase);
  try {
    return await decryptCbc(cipher, key, iv, Uint8Array.from(ciphertext));
  } finally {
    key.fill(0);
  }
}

/**
 * Decrypts an EncryptedPrivateKeyInfo (RFC 5958 section 3) to PKCS#8. Throws the errors of
 * {@link decrypt}.
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
  return checkPlaintext(await decrypt(algorithm, ciphertext, passphrase, iterate));
}

/** Throws unless the plaintext is DER: 1 of 256 wrong passphrases leaves a valid padding. */
export function checkPlaintext(plaintext: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  try {
    readSequence(plaintext);
    return plaintext;
  } catch (cause) {
    plaintext.fill(0);
    throw new WrongPassphraseError("the plaintext is not DER", { cause });
  }
}

/** Returns the hash of an HMAC, by object identifier. */
export function hmacHash(oid: string): HashName {
  const hash = HMAC_HASHES[oid];
  if (!hash) throw unsupportedCipherError("the pseudo-random function", oid);
  return hash;
}

interface CipherKey {
  readonly cipher: CipherName;
  readonly key: Uint8Array<ArrayBuffer>;
  readonly iv: Uint8Array<ArrayBuffer>;
}

async function derivePbes1(
  scheme: Pbes1Scheme,
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
  const derivation = readAlgorithmIdentifier(parameters.sequence());
  const encryption = readAlgorithmIdentifier(parameters.sequence());
  parameters.end();
  const cipher = PBES2_CIPHERS[encryption.oid];
  if (!cipher) throw unsupportedCipherError("the cipher", encryption.oid);
  const iv = new DerReader(encryption.parameters ?? new Uint8Array(0)).octetString();
  const { keyBytes } = CIPHERS[cipher];
  const cost = readSequence(derivation.parameters ?? new Uint8Array(0));
  let key: Uint8Array<ArrayBuffer>;
  if (derivation.oid === OID.pbkdf2) key = await derivePbkdf2(cost, keyBytes, passphrase);
  else if (derivation.oid === OID.scrypt) key = await deriveScrypt(cost, keyBytes, passphrase);
  else throw unsupportedCipherError("the key derivation", derivation.oid);
  return { cipher, key, iv: Uint8Array.from(iv) };
}

/** Derives a key of `keyBytes` with `PBKDF2-params`. Throws if the parameters have another length. */
export async function derivePbkdf2(
  parameters: DerReader,
  keyBytes: number | undefined,
  passphrase: Passphrase,
): Promise<Uint8Array<ArrayBuffer>> {
  const salt = parameters.octetString();
  const iterations = parameters.smallInteger();
  const named = parameters.peekTag() === TAG.integer ? parameters.smallInteger() : keyBytes;
  const hash = parameters.atEnd
    ? "sha1"
    : hmacHash(readAlgorithmIdentifier(parameters.sequence()).oid);
  parameters.end();
  if (named === undefined || named < 1 || named > 64 || named !== (keyBytes ?? named)) {
    throw new DerError("a key length that does not match the cipher");
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
  if (named !== keyBytes) throw new DerError("a key length that does not match the cipher");
  return await scrypt(passphrase, salt, cost, keyBytes);
}

function unsupportedCipherError(kind: string, oid: string): UnsupportedCipherError {
  const name = UNSUPPORTED_ALGORITHMS[oid] ?? `${kind} ${oid}`;
  const support = LEGACY.test(name) ? "legacy" : UNKNOWN_TO_OPENSSL.test(name) ? "none" : "default";
  return new UnsupportedCipherError(name, support);
}
