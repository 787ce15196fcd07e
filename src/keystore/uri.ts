/**
 * Where a key or certificate stands: a file path, or a URI whose scheme names the keystore
 * (RFC 7512 for `pkcs11:`; the same attribute syntax for `keychain:` and `cng:`).
 *
 * @module
 */
import { HelperError, printableName } from "../errors.ts";
import { validatePkcs11Attributes, withoutSecrets } from "./pkcs11_attributes.ts";
import { parseAttributes, splitOnce } from "./uri_attributes.ts";

/** The keystores, by URI scheme, and what each of them is, for messages. */
export const SCHEMES = {
  file: "a file",
  pkcs11: "a PKCS#11 token",
  handle: "a TPM 2.0 key handle",
  keychain: "the macOS Keychain",
  cng: "the Windows certificate store",
} as const satisfies Record<string, string>;

/**
 * Attribute of a `handle:` source whose keys were found in a file: their `TSS2 PRIVATE KEY` DER, one
 * behind the other. What a user writes behind `handle:` never becomes an attribute, so that no file
 * is taken for a handle and no handle for a file.
 */
export const TSS2_KEYS = "tss2-keys";

/** The scheme of a keystore URI. */
export type Scheme = keyof typeof SCHEMES;

/** A parsed source of a key or certificate. */
export interface KeystoreUri {
  readonly scheme: Scheme;
  /** As the user wrote it, without secrets: safe to print. */
  readonly displayName: string;
  /** What follows the scheme, decoded: the path of a file, the number of a handle; else empty. */
  readonly path: string;
  /**
   * Path attributes (`name=value` between semicolons), values percent-decoded; of a `pkcs11:` URI,
   * names in lower case.
   */
  readonly attributes: ReadonlyMap<string, Uint8Array>;
  /** Query attributes (behind `?`, between `&`), values percent-decoded; may hold secrets. */
  readonly query: ReadonlyMap<string, Uint8Array>;
}

/** Schemes whose URIs are lists of attributes. */
const ATTRIBUTE_SCHEMES: readonly Scheme[] = ["pkcs11", "keychain", "cng"];
/**
 * From a PIN on, nothing is printed: where it ends is for the parser to decide, and it may refuse.
 * A misspelt `pin-value` is a PIN, too.
 */
const FROM_PIN =
  /((?:[Pp][Ii][Nn]|[Vv][Aa][Ll][Uu][Ee])[^=;&?/]*=(?!file:|env:[A-Z0-9_]+(?:&|$))).*/s;
/** A longer scheme that is not known could be a part of a secret. */
const SHORT = /^.{1,11}$/;
/** Text of a key or certificate where its path belongs, as in `--private-key "$KEY"`. */
const CONTENTS = /-----BEGIN|^M[A-Za-z0-9+/=\s]{63,}$/;
/** One letter before a colon is a Windows drive, not a scheme. */
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]+):/;

/**
 * Parses what was given to `flag`. A bare path is a file.
 *
 * Throws `usage` when the scheme is unknown or the URI malformed, naming the flag and the place.
 */
export function parseKeystoreUri(text: string, flag: string): KeystoreUri {
  const refuse = (why: string): HelperError => new HelperError("usage", `${flag}: ${why}`);
  const shown = printableName(withoutPin(text));
  if (text === "") throw refuse("the path or URI is empty");
  if (CONTENTS.test(text)) {
    throw refuse("this is the text of a key or certificate, not its place; put it into a file");
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

/** The path of a `file:` URI (RFC 8089); undefined when it names another host or is malformed. */
export function filePath(rest: string): string | undefined {
  try {
    const path = /^\/\/(?:localhost)?(\/.*)$/i.exec(rest)?.[1] ?? rest;
    if (path === "" || path.startsWith("//")) return undefined;
    return decodeURIComponent(path).replace(/^\/([A-Za-z]:)/, "$1");
  } catch {
    return undefined; // a percent sign that escapes nothing
  }
}
