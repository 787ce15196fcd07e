/**
 * Tolerant base64 decoder. Ignores characters that transport adds, such as quotes and blanks.
 *
 * @module
 */
import { decodeBase64 } from "@std/encoding/base64";

/** Blanks, quotes of mails, shells and JSON, and invisible characters. */
const IGNORED = /[\s"'`>,;\u00ad\u200b-\u200d\u2060]+/g;
/** Both alphabets of RFC 4648. */
const BASE64 = /^[A-Za-z0-9+/]+=*$/;
const BASE64_URL = /^[A-Za-z0-9_-]+=*$/;

/** Decodes base64 of either alphabet, padded or not. Returns undefined for other or empty text. */
export function decodeAnyBase64(written: string): Uint8Array<ArrayBuffer> | undefined {
  // Quoted-printable encodes the padding "=" as "=3D". Base64 ends with its padding.
  const text = written.replace(IGNORED, "").replaceAll("=3D", "=");
  const standard = BASE64.test(text)
    ? text
    : BASE64_URL.test(text)
    ? text.replaceAll("-", "+").replaceAll("_", "/")
    : undefined;
  const digits = standard?.replace("=", "\n").split("\n", 1)[0];
  if (!digits || digits.length % 4 === 1) return undefined;
  return decodeBase64(digits.padEnd(Math.ceil(digits.length / 4) * 4, "="));
}
