/**
 * Source of a key or certificate: a file path, or a URI whose scheme selects the keystore (RFC 7512
 * for `pkcs11:`; the same attribute syntax for `keychain:` and `cng:`).
 *
 * @module
 */
import { HelperError, printableName } from "../errors.ts";
import { validatePkcs11Attributes, withoutSecrets } from "./pkcs11_attributes.ts";
import { parseAttributes, splitOnce } from "./uri_attributes.ts";

/** Keystores by URI scheme, with a description for messages. */
export const SCHEMES = {
  file: "a file",
  pkcs11: "a PKCS#11 token",
  handle: "a TPM 2.0 key handle",
  keychain: "the macOS Keychain",
  cng: "the Windows certificate store",
} as const satisfies Record<string, string>;

/**
 * Attribute of a `handle:` source whose keys come from a file: their `TSS2 PRIVATE KEY` DER,
 * concatenated. Text that a user writes after `handle:` never becomes an attribute, so files and
 * handles cannot be confused.
 */
export const TSS2_KEYS = "tss2-keys";

/** Scheme of a keystore URI. */
export type Scheme = keyof typeof SCHEMES;

/** Parsed source of a key or certificate. */
export interface KeystoreUri {
  readonly scheme: Scheme;
  /** URI as the user wrote it, without secrets: safe to print. */
  readonly displayName: string;
  /**
   * Decoded text after the scheme: the path of a file or the number of a handle; otherwise empty.
   */
  readonly path: string;
  /**
   * Path attributes (`name=value`, separated by `;`), values percent-decoded. Names of `pkcs11:`
   * attributes are in lower case.
   */
  readonly attributes: ReadonlyMap<string, Uint8Array>;
  /**
   * Query attributes (after `?`, separated by `&`), values percent-decoded. May contain secrets.
   */
  readonly query: ReadonlyMap<string, Uint8Array>;
}

/** Schemes whose URIs are lists of attributes. */
const ATTRIBUTE_SCHEMES: readonly Scheme[] = ["pkcs11", "keychain", "cng"];
/**
 * Text from a PIN to the end, which is not printed: the end of the PIN is unknown until the URI is
 * parsed. Includes misspelt names of `pin-value`.
 */
const FROM_PIN =
  /((?:[Pp][Ii][Nn]|[Vv][Aa][Ll][Uu][Ee])[^=;&?/]*=(?!file:|env:[A-Z0-9_]+(?:&|$))).*/s;
/** An unknown scheme is shown if it is short. A longer one could be part of a secret. */
const SHORT = /^.{1,11}$/;
/** Contents of a key or certificate instead of its path, as in `--private-key "$KEY"`. */
const CONTENTS = /-----BEGIN|^M[A-Za-z0-9+/=\s]{63,}$/;
/** URI scheme. One letter before a colon is a Windows drive. */
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]+):/;

/**
 * Parses the value of `flag`. A bare path is a file.
 *
 * Throws `usage` if the scheme is unknown or the URI malformed.
 */
export function parseKeystoreUri(text: string, flag: string): KeystoreUri {
  const refuse = (why: string): HelperError => new HelperError("usage", `${flag}: ${why}`);
  const shown = printableName(withoutPin(text));
  if (text === "") throw refuse("the path or URI is empty");
  if (CONTENTS.test(text)) {
    throw refuse("this is the text of a key or certificate, not its path; save it to a file");
  }
  const none = { attributes: new Map(), query: new Map() };
  const written = SCHEME.exec(text)?.[1];
  if (written === undefined) return { scheme: "file", displayName: shown, path: text, ...none };

  const scheme = schemeNamed(written);
  if (!scheme) {
    throw refuse(
      `unknown scheme${
        SHORT.test(written) ? ` "${written}:"` : ""
      }; use a file path or one of ${schemeList()} ` +
        '(for a file of that name write "./" before it)',
    );
  }
  const rest = text.slice(written.length + 1);
  if (scheme === "file") {
    const path = filePath(rest);
    if (path === undefined) throw refuse(`"${shown}" is not a file: URI of this machine`);
    return { scheme, displayName: printableName(withoutPin(path)), path, ...none };
  }
  if (!ATTRIBUTE_SCHEMES.includes(scheme)) {
    return { scheme, displayName: shown, path: rest, ...none };
  }

  const malformed = (why: string) => refuse(`malformed ${scheme}: URI: ${why}`);
  const [pathPart = "", queryPart = ""] = splitOnce(rest, "?");
  const isPkcs11 = scheme === "pkcs11";
  const syntax = { isPkcs11, refuse: malformed };
  const attributes = parseAttributes(pathPart, { ...syntax, separator: ";" });
  const query = parseAttributes(queryPart, { ...syntax, separator: "&" });
  const wrong = isPkcs11 ? validatePkcs11Attributes(attributes, query) : undefined;
  if (wrong) throw malformed(wrong);
  const displayName = isPkcs11 && queryPart !== ""
    ? printableName(`${written}:${withoutPin(pathPart)}?${withoutSecrets(queryPart)}`)
    : shown;
  return { scheme, displayName, path: "", attributes, query };
}

const withoutPin = (text: string) => text.replace(FROM_PIN, "$1…");

function schemeNamed(written: string): Scheme | undefined {
  const lower = written.toLowerCase();
  return Object.keys(SCHEMES).find((scheme): scheme is Scheme => scheme === lower);
}

function schemeList(): string {
  return Object.keys(SCHEMES).map((scheme) => `${scheme}:`).join(", ");
}

/** Returns the path of a `file:` URI (RFC 8089); undefined for another host or a malformed URI. */
export function filePath(rest: string): string | undefined {
  try {
    const path = /^\/\/(?:localhost)?(\/.*)$/i.exec(rest)?.[1] ?? rest;
    if (path === "" || path.startsWith("//")) return undefined;
    return decodeURIComponent(path).replace(/^\/([A-Za-z]:)/, "$1");
  } catch {
    return undefined; // a malformed percent escape
  }
}
