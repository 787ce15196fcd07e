/**
 * Parser of attribute lists in the URIs of tokens and stores. The syntax is that of RFC 7512:
 * `name=value` with separators, values percent-encoded.
 *
 * @module
 */
import type { HelperError } from "../errors.ts";
import { isVendorQueryAttribute } from "./pkcs11_attributes.ts";

/** Syntax of an attribute list. */
export interface AttributeSyntax {
  /** Separator: `;` in the path, `&` in the query. */
  readonly separator: ";" | "&";
  /**
   * True for RFC 7512: names are case-insensitive and returned in lower case; vendor attributes may
   * be repeated.
   */
  readonly isPkcs11: boolean;
  /** Creates the error. `why` never contains a value. */
  refuse(why: string): HelperError;
}

/** Splits at the first separator. The second part is undefined without a separator. */
export function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Parses a list of attributes. Throws the error of `refuse`. */
export function parseAttributes(
  part: string,
  { separator, isPkcs11, refuse }: AttributeSyntax,
): Map<string, Uint8Array> {
  const attributes = new Map<string, Uint8Array>();
  if (part === "") return attributes;
  for (const [i, attribute] of part.split(separator).entries()) {
    const [written, value] = splitOnce(attribute, "=");
    // The names of RFC 7512 are ABNF literals, which are case-insensitive (RFC 5234 section 2.3).
    const name = isPkcs11 ? written.toLowerCase() : written;
    if (!/^[A-Za-z0-9_-]+$/.test(name) || value === undefined) {
      // Not shown if it may be the rest of a PIN that contains the separator.
      const shown = separator === ";" && SHORT_NAME.test(written) &&
        ![...attributes.keys()].some((key) => isPin(key));
      const position = separator === "&" ? ' after the "?"' : "";
      const place = shown ? `"${written}"` : `attribute ${i + 1}${position}`;
      throw refuse(`${place} is not a name=value attribute`);
    }
    if (attributes.has(name)) {
      const mayRepeat = isPkcs11 && separator === "&" && isVendorQueryAttribute(name);
      if (mayRepeat) continue;
      throw refuse(`duplicate attribute "${name}"`);
    }
    const decoded = percentDecode(value);
    if (!decoded) {
      throw refuse(`the value of "${name}" has a "%" that two hex digits do not follow`);
    }
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
