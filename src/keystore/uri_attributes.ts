/**
 * Reading lists of attributes, as URIs of tokens and stores have them: `name=value` between
 * separators, values percent-encoded (the syntax of RFC 7512).
 *
 * @module
 */
import type { HelperError } from "../errors.ts";
import { isVendorQueryAttribute } from "./pkcs11_attributes.ts";

/** How a list is written. */
export interface AttributeSyntax {
  /** Behind the `?` of a URI attributes are joined by `&`, before it by `;`. */
  readonly separator: ";" | "&";
  /** RFC 7512's own names: in any case, given in lower case; a vendor's may stand several times. */
  readonly isPkcs11: boolean;
  /** Makes the error; it is told what is wrong and where, without any value. */
  refuse(why: string): HelperError;
}

/** Splits at the first separator; the second part is undefined when there is none. */
export function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Reads a list of attributes; throws what `refuse` makes. */
export function parseAttributes(
  part: string,
  { separator, isPkcs11, refuse }: AttributeSyntax,
): Map<string, Uint8Array> {
  const attributes = new Map<string, Uint8Array>();
  if (part === "") return attributes;
  for (const [i, attribute] of part.split(separator).entries()) {
    const [written, value] = splitOnce(attribute, "=");
    // The names of RFC 7512 are literals of an ABNF, in which case does not count (RFC 5234, 2.3).
    const name = isPkcs11 ? written.toLowerCase() : written;
    if (!/^[A-Za-z0-9_-]+$/.test(name) || value === undefined) {
      // Not shown where it may be the rest of a PIN that holds the separator.
      const shown = separator === ";" && SHORT_NAME.test(written) &&
        ![...attributes.keys()].some((key) => isPin(key));
      const behind = separator === "&" ? ' behind the "?"' : "";
      const place = shown ? `"${written}"` : `attribute ${i + 1}${behind}`;
      throw refuse(`${place} is not a name=value attribute`);
    }
    if (attributes.has(name)) {
      const mayRepeat = isPkcs11 && separator === "&" && isVendorQueryAttribute(name);
      if (mayRepeat) continue;
      throw refuse(`the attribute "${name}" stands twice`);
    }
    const decoded = percentDecode(value);
    if (!decoded) throw refuse(`the value of "${name}" has a "%" without two hex digits`);
    attributes.set(name, decoded);
  }
  return attributes;
}

const SHORT_NAME = /^[\w -]{0,11}$/;

const isPin = (name: string) => name.toLowerCase().endsWith("pin-value");

function percentDecode(value: string): Uint8Array | undefined {
  const bytes: number[] = [];
  const encoded = new TextEncoder().encode(value);
  for (let i = 0; i < encoded.length; i++) {
    const byte = encoded[i] ?? 0;
    if (byte !== "%".charCodeAt(0)) {
      bytes.push(byte);
      continue;
    }
    const hex = String.fromCharCode(...encoded.subarray(i + 1, i + 3));
    if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return undefined;
    bytes.push(parseInt(hex, 16));
    i += 2;
  }
  return new Uint8Array(bytes);
}
