/**
 * Errors for unsupported file formats, recognized by their first bytes.
 *
 * @module
 */
import { PemError } from "../../src/x509/pem.ts";
import { UnsupportedFormatError } from "./errors.ts";

const JKS = "keytool -importkeystore -srckeystore FILE -destkeystore NEW.p12 -deststoretype PKCS12";
const JAVA_KEYSTORES: readonly (readonly [magic: number, message: string])[] = [
  [0xfeedfeed, `it is a Java keystore (JKS); convert it with: ${JKS}`],
  [0xcececece, `it is a Java keystore (JCEKS); convert it with: ${JKS} -srcstoretype JCEKS`],
];

/** Returns true if the bytes begin like a Java keystore (JKS or JCEKS). */
export function startsJavaKeystore(bytes: Uint8Array): boolean {
  return describeJavaKeystore(bytes) !== undefined;
}

/** Returns the error for a Java keystore. */
export function javaKeystoreError(bytes: Uint8Array): UnsupportedFormatError {
  return new UnsupportedFormatError(describeJavaKeystore(bytes) ?? "it is a Java keystore");
}

function describeJavaKeystore(bytes: Uint8Array): string | undefined {
  if (bytes.length < 4) return undefined;
  const magic = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return JAVA_KEYSTORES.find(([known]) => known === magic)?.[1];
}

/** Beginnings of files that users name by mistake. */
const FORMAT_PREFIXES: readonly (readonly [pattern: RegExp, message: string])[] = [
  // Control characters. V8 would take 0.2 ms in each run to parse \p{Cc}.
  [/^PK[^\s!-~\u0080-\uffff]{2}/, "it is a ZIP archive; unpack it and name a file in it"],
  [/^\s{0,99}<(?:!doctype|html|\?xml)/i, "it is HTML or XML; check where it was downloaded from"],
  [/^(?:ssh-|ecdsa-sha2-|sk-)/, "it is a public key of OpenSSH; name the private key"],
  [
    /^PuTTY-User-Key-File-/,
    "it is a key of PuTTY; convert it with: puttygen FILE -O private-openssh -o NEW.pem",
  ],
];

/**
 * Returns the error for a file that is neither PEM nor DER. `text` is the decoded file.
 *
 * The message never contains the file's content.
 */
export function unknownFormatError(bytes: Uint8Array, text: string): Error {
  const damage = describeDerDamage(bytes) ?? describeTextConversion(bytes) ??
    FORMAT_PREFIXES.find(([pattern]) => pattern.test(text))?.[1];
  return new PemError(
    damage ?? "it is neither PEM nor DER; name a source with a key or certificate in it",
  );
}

/** Describes DER whose length field (one to four bytes) differs from the file's length. */
function describeDerDamage(bytes: Uint8Array): string | undefined {
  const [tag, form = 0] = bytes;
  const count = form - 0x80;
  if (tag !== 0x30 || count < 1 || count > 4 || bytes.length < 2 + count) return undefined;
  const contents = bytes.subarray(2, 2 + count).reduce((sum, byte) => sum * 256 + byte, 0);
  const length = 2 + count + contents;
  if (length > bytes.length) {
    // A huge length in a small file means that it is not DER.
    return length < 256 * bytes.length
      ? `it is truncated to ${bytes.length} of ${length} bytes; copy it again`
      : undefined;
  }
  return `${bytes.length - length} bytes follow its end; copy it again as binary`;
}

/** First bytes of a length byte that was converted to UTF-8 as Latin-1, Windows-1252 or U+FFFD. */
const CONVERTED_LENGTH_BYTES: readonly number[] = [0xc2, 0xc6, 0xe2, 0xef];

function describeTextConversion([tag, next = 0]: Uint8Array): string | undefined {
  return tag === 0x30 && CONVERTED_LENGTH_BYTES.includes(next)
    ? "its bytes were changed by a conversion to text; copy it again as binary"
    : undefined;
}
