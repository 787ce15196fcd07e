/**
 * Keys encrypted under `Proc-Type: 4,ENCRYPTED` headers, OpenSSL's traditional format (RFC 1421
 * headers, with OpenSSL's own key derivation).
 *
 * @module
 */
import { decodeHex } from "@std/encoding/hex";
import { DerError } from "../../src/x509/der.ts";
import type { PemBlock } from "../../src/x509/pem.ts";
import { type CipherName, CIPHERS, decryptCbc } from "./cipher.ts";
import { checkPlaintext } from "./encryption.ts";
import { UnsupportedCipherError } from "./errors.ts";
import { opensslBytesToKey } from "./key_derivation.ts";
import type { Passphrase } from "./passphrase.ts";

const DEK_CIPHERS: readonly CipherName[] = [
  "AES-128-CBC",
  "AES-192-CBC",
  "AES-256-CBC",
  "DES-CBC",
  "DES-EDE3-CBC",
];
/** Unsupported ciphers of openssl. A message repeats no other name. */
const UNSUPPORTED_CIPHERS = /^(?:CAMELLIA-\d{3}|ARIA-\d{3}|SEED|IDEA|RC2|BF|CAST5)-CBC$/;
const LEGACY_CIPHERS = /^(?:SEED|IDEA|RC2|BF|CAST5)-/;
const SALT_BYTES = 8;

/** Decrypts the block to the plain key. Throws the errors of `decrypt` in `encryption.ts`. */
export async function decryptProcType(
  block: PemBlock,
  passphrase: Passphrase,
): Promise<Uint8Array<ArrayBuffer>> {
  const [name = "", hex = ""] = (block.headers.get("DEK-Info") ?? "").split(/\s*,\s*/);
  const cipher = DEK_CIPHERS.find((known) => known === name.toUpperCase());
  if (!cipher) {
    const isNamed = UNSUPPORTED_CIPHERS.test(name);
    throw new UnsupportedCipherError(
      isNamed ? name : "a cipher other than AES or DES in CBC mode",
      !isNamed ? "none" : LEGACY_CIPHERS.test(name) ? "legacy" : "default",
    );
  }
  let iv: Uint8Array<ArrayBuffer>;
  try {
    iv = decodeHex(hex);
  } catch (cause) {
    const malformed = new DerError("a DEK-Info header without an initialization vector");
    malformed.cause = cause;
    throw malformed;
  }
  const key = opensslBytesToKey(passphrase, iv.subarray(0, SALT_BYTES), CIPHERS[cipher].keyBytes);
  try {
    return checkPlaintext(await decryptCbc(cipher, key, iv, Uint8Array.from(block.bytes)));
  } finally {
    key.fill(0);
  }
}
