/**
 * CBC decryption with the block ciphers of key files. The runtime's `node:crypto` lacks three of
 * them: AES-192 uses WebCrypto, DES uses triple DES, RC2 uses node-forge.
 *
 * @module
 */
import { createDecipheriv } from "node:crypto";
import { DerError } from "../../src/x509/der.ts";
import { WrongPassphraseError } from "./errors.ts";
import { concatenate } from "../../src/bytes.ts";

interface Cipher {
  readonly keyBytes: number;
  readonly blockBytes: number;
}

/** Ciphers with the length of their key and of a block (and initialization vector) in bytes. */
export const CIPHERS = {
  "AES-128-CBC": { keyBytes: 16, blockBytes: 16 },
  "AES-192-CBC": { keyBytes: 24, blockBytes: 16 },
  "AES-256-CBC": { keyBytes: 32, blockBytes: 16 },
  "DES-CBC": { keyBytes: 8, blockBytes: 8 },
  "DES-EDE3-CBC": { keyBytes: 24, blockBytes: 8 },
  "DES-EDE-CBC": { keyBytes: 16, blockBytes: 8 },
  "RC2-40-CBC": { keyBytes: 5, blockBytes: 8 },
  "RC2-64-CBC": { keyBytes: 8, blockBytes: 8 },
  "RC2-128-CBC": { keyBytes: 16, blockBytes: 8 },
} as const satisfies Record<string, Cipher>;

/** Name of a cipher, as in `DEK-Info`. */
export type CipherName = keyof typeof CIPHERS;

/**
 * Decrypts and removes the padding (RFC 8018 section 6.1.1).
 *
 * Throws `WrongPassphraseError` if the padding is wrong, and {@link DerError} if a length is.
 */
export async function decryptCbc(
  name: CipherName,
  key: Uint8Array<ArrayBuffer>,
  iv: Uint8Array<ArrayBuffer>,
  ciphertext: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const { blockBytes } = CIPHERS[name];
  if (iv.length !== blockBytes) throw new DerError("an initialization vector of wrong length");
  if (ciphertext.length === 0 || ciphertext.length % blockBytes !== 0) {
    throw new DerError("truncated encrypted data");
  }
  if (name === "AES-192-CBC") return await decryptWithWebCrypto(key, iv, ciphertext);
  const padded = name.startsWith("RC2-")
    ? await decryptRc2(key, iv, ciphertext)
    : decryptWithNode(name, key, iv, ciphertext);
  try {
    return removePadding(padded, blockBytes);
  } finally {
    padded.fill(0);
  }
}

function decryptWithNode(
  name: CipherName,
  key: Uint8Array,
  iv: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array {
  const isDes = name.startsWith("DES-");
  const nodeKey = isDes ? tripleDesKey(key) : key;
  const decipher = createDecipheriv(isDes ? "des-ede3-cbc" : name.toLowerCase(), nodeKey, iv);
  decipher.setAutoPadding(false);
  const parts = [decipher.update(ciphertext), decipher.final()];
  const plaintext = concatenate(parts);
  for (const part of parts) part.fill(0);
  return plaintext;
}

/** Extends a key to 24 bytes: K1 = K2 = K3 is DES, K1 = K3 is two-key triple DES. */
function tripleDesKey(key: Uint8Array): Uint8Array {
  const tripled = new Uint8Array(24);
  for (let i = 0; i < tripled.length; i++) tripled[i] = key[i % key.length] ?? 0;
  return tripled;
}

async function decryptWithWebCrypto(
  key: Uint8Array<ArrayBuffer>,
  iv: Uint8Array<ArrayBuffer>,
  ciphertext: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const aes = await crypto.subtle.importKey("raw", key, "AES-CBC", false, ["decrypt"]);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, aes, ciphertext));
  } catch (cause) {
    throw new WrongPassphraseError("the padding is wrong", { cause });
  }
}

/** Types of the used part of node-forge, which has none. */
interface ForgeRc2 {
  readonly rc2: {
    createDecryptionCipher(key: string, effectiveBits: number): {
      start(iv: string): void;
      update(data: unknown): void;
      finish(pad: () => boolean): boolean;
      readonly output: { getBytes(): string };
    };
  };
  readonly util: { createBuffer(bytes: string): unknown };
}

async function decryptRc2(
  key: Uint8Array,
  iv: Uint8Array,
  ciphertext: Uint8Array,
): Promise<Uint8Array> {
  const { default: forge }: { default: ForgeRc2 } = await import("node-forge");
  const decipher = forge.rc2.createDecryptionCipher(toByteString(key), key.length * 8);
  decipher.start(toByteString(iv));
  decipher.update(forge.util.createBuffer(toByteString(ciphertext)));
  decipher.finish(() => true);
  return Uint8Array.from(decipher.output.getBytes(), (character) => character.charCodeAt(0));
}

function toByteString(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function removePadding(padded: Uint8Array, blockBytes: number): Uint8Array<ArrayBuffer> {
  const count = padded.at(-1) ?? 0;
  const padding = padded.subarray(padded.length - count);
  if (count < 1 || count > blockBytes || padding.some((byte) => byte !== count)) {
    throw new WrongPassphraseError("the padding is wrong");
  }
  return Uint8Array.from(padded.subarray(0, padded.length - count));
}
