/**
 * Source of a key or certificate: a file path, or a URI whose scheme selects the keystore.
 * `pkcs11:` is RFC 7512; `keychain:` and `cng:` have the same attribute syntax.
 *
 * @module
 */
import { HelperError, printableName, variableSource } from "../errors.ts";
import { validatePkcs11Attributes, withoutSecrets } from "./pkcs11_attributes.ts";
import { parseAttributes, splitOnce } from "./uri_attributes.ts";

/** Operating systems that the program is built for. */
export type Platform = "linux" | "darwin" | "windows";

/** Part of a keystore's description that is needed before its plugin is loaded. */
export interface SchemeDescription {
  /** Name in messages. */
  readonly title: string;
  /** Operating systems that have the keystore. */
  readonly platforms: readonly Platform[];
  /**
   * Syntax after the scheme: a file's path, text that the plugin reads, or attributes separated by
   * semicolons. The attributes may follow an optional address, or be those that RFC 7512 allows.
   */
  readonly syntax: "path" | "text" | "attributes" | "address" | "rfc7512";
  /** Certificate store of its platforms, which `--cert-selector` searches. */
  readonly isStore?: true;
  /** Variable with the address for URIs that have none. */
  readonly addressVariable?: string;
  /** The keystore renews its certificates, which are short-lived, and warns if it cannot. */
  readonly renews?: true;
}

const EVERY_PLATFORM = ["linux", "darwin", "windows"] as const satisfies Platform[];

/** Keystores by URI scheme: the only table of schemes. */
export const SCHEMES = {
  file: { title: "a file", platforms: EVERY_PLATFORM, syntax: "path" },
  pkcs11: { title: "a PKCS#11 token", platforms: EVERY_PLATFORM, syntax: "rfc7512" },
  handle: { title: "a TPM 2.0 key handle", platforms: ["linux"], syntax: "text" },
  keychain: {
    title: "the macOS Keychain",
    platforms: ["darwin"],
    syntax: "attributes",
    isStore: true,
  },
  cng: {
    title: "the Windows certificate store",
    platforms: ["windows"],
    syntax: "attributes",
    isStore: true,
  },
  spiffe: {
    title: "the SPIFFE Workload API",
    platforms: ["linux", "darwin"],
    syntax: "address",
    addressVariable: "SPIFFE_ENDPOINT_SOCKET",
    renews: true,
  },
} as const satisfies Record<string, SchemeDescription>;

/**
 * Attribute of a `handle:` source whose keys come from a file: their `TSS2 PRIVATE KEY` DER,
 * concatenated. Text that a user writes after `handle:` never becomes an attribute, so files and
 * handles cannot be confused.
 */
export const TSS2_KEYS = "tss2-keys";

/** Scheme of a keystore URI. */
export type Scheme = keyof typeof SCHEMES;

/** Returns a scheme's entry, in the general type. */
export function descriptionOf(scheme: Scheme): SchemeDescription {
  return SCHEMES[scheme];
}

/** Returns the schemes that a platform has, in the table's order. */
export function schemesOf(platform: Platform): Scheme[] {
  return Object.keys(SCHEMES).filter(isScheme)
    .filter((scheme) => descriptionOf(scheme).platforms.includes(platform));
}

/** Returns the file that a source names; undefined for other sources. */
export function fileOf(uri: KeystoreUri | undefined): string | undefined {
  if (!uri || uri.input) return undefined;
  return descriptionOf(uri.scheme).syntax === "path" ? uri.path : undefined;
}

/** Source that can be read only once; its contents are kept in memory. */
export type InputSource =
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "descriptor"; readonly number: number };

/** Parsed source of a key or certificate. */
export interface KeystoreUri {
  readonly scheme: Scheme;
  /** URI as the user wrote it, without secrets: safe to print. */
  readonly displayName: string;
  /** Variable or setting that holds the URI; absent for a flag. Errors begin with it. */
  readonly source?: string;
  /**
   * Decoded text after the scheme: a file's path, a handle's number, or an address as it is
   * written. Otherwise empty.
   */
  readonly path: string;
  /** Source of a `file:` URI that has no path: `env:NAME`, `fd:N` or `-`. */
  readonly input?: InputSource;
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

/**
 * Text from a PIN to the end, which is not printed. The end of the PIN is unknown until the URI is
 * parsed. Includes misspelt names of `pin-value`.
 */
const FROM_PIN =
  /((?:[Pp][Ii][Nn]|[Vv][Aa][Ll][Uu][Ee])[^=;&?/]*=(?!file:|env:[A-Z0-9_]+(?:&|$))).*/s;
/** An unknown scheme is shown if it is short. A longer one could be part of a secret. */
const SHORT = /^.{1,11}$/;
/** Contents of a key or certificate instead of its path, as in `--private-key "$KEY"`. */
const CONTENTS = /-----BEGIN|^(?:env:)?M[A-Za-z0-9+/=\s]{63,}$/;
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
  if (text.trim() === "") throw refuse("the path or URI is empty");
  if (CONTENTS.test(text)) {
    throw refuse(
      "this is the text of a key or certificate, not its path; put it in a variable and write " +
        'env:NAME (for a file of that name write "./" before it)',
    );
  }
  const none = { attributes: new Map(), query: new Map() };
  const input = parseInput(text);
  if (input) return { scheme: "file", displayName: describeInput(input), path: "", input, ...none };
  const written = SCHEME.exec(text)?.[1];
  if (written === undefined) return { scheme: "file", displayName: shown, path: text, ...none };

  if (written === "env") {
    throw refuse('"env:" takes the name of a variable; write its name without $');
  }
  if (written === "fd") throw refuse('"fd:" takes the number of an open descriptor');
  const scheme = schemeNamed(written);
  if (!scheme) {
    throw refuse(
      `unknown scheme${
        SHORT.test(written) ? ` "${written}:"` : ""
      }; use a file path, env:, fd: or one of ${schemeList()} ` +
        '(for a file of that name write "./" before it)',
    );
  }
  const rest = text.slice(written.length + 1);
  const { syntax } = descriptionOf(scheme);
  if (syntax === "path") {
    const path = filePath(rest);
    if (path === undefined) throw refuse(`"${shown}" is not a ${scheme}: URI of this machine`);
    const displayName = scheme === "file" ? printableName(withoutPin(path)) : shown;
    return { scheme, displayName, path, ...none };
  }
  if (syntax === "text") return { scheme, displayName: shown, path: rest, ...none };

  const malformed = (why: string) => refuse(`malformed ${scheme}: URI: ${why}`);
  const [beforeQuery = "", queryPart = ""] = splitOnce(rest, "?");
  const [path, pathPart] = syntax === "address" ? splitAddress(beforeQuery) : ["", beforeQuery];
  const isPkcs11 = syntax === "rfc7512";
  const options = { isPkcs11, refuse: malformed };
  const attributes = parseAttributes(pathPart, { ...options, separator: ";" });
  const query = parseAttributes(queryPart, { ...options, separator: "&" });
  const wrong = isPkcs11 ? validatePkcs11Attributes(attributes, query) : undefined;
  if (wrong) throw malformed(wrong);
  const displayName = isPkcs11 && queryPart !== ""
    ? printableName(`${written}:${withoutPin(pathPart)}?${withoutSecrets(queryPart)}`)
    : shown;
  return { scheme, displayName, path, attributes, query };
}

/** Splits off an address: it begins with a scheme of its own, or its first part is not an attribute. */
function splitAddress(text: string): [address: string, attributes: string] {
  if (!/^[^=;]*:|^[^=;]+(?:;|$)/.test(text)) return ["", text];
  const [address, attributes = ""] = splitOnce(text, ";");
  return [address, attributes];
}

/** Descriptor of standard input. */
const STANDARD_INPUT = 0;

/**
 * Parses `env:NAME`, `fd:N` and `-`. Returns undefined for another text. A longer name could be the
 * contents of the variable, which a shell inserts for `env:$NAME`.
 */
export function parseInput(text: string): InputSource | undefined {
  if (text === "-") return { kind: "descriptor", number: STANDARD_INPUT };
  const name = /^env:([A-Za-z_][A-Za-z0-9_]{0,63})$/.exec(text)?.[1];
  if (name !== undefined) return { kind: "variable", name };
  const number = /^fd:(\d{1,6})$/.exec(text)?.[1];
  return number === undefined ? undefined : { kind: "descriptor", number: Number(number) };
}

/** Returns the name of an input for messages. */
export function describeInput(input: InputSource): string {
  if (input.kind === "variable") return variableSource(input.name);
  return input.number === STANDARD_INPUT ? "standard input" : `fd:${input.number}`;
}

const withoutPin = (text: string) => text.replace(FROM_PIN, "$1…");

function schemeNamed(written: string): Scheme | undefined {
  const lower = written.toLowerCase();
  return isScheme(lower) ? lower : undefined;
}

function isScheme(text: string): text is Scheme {
  return Object.hasOwn(SCHEMES, text);
}

function schemeList(): string {
  return Object.keys(SCHEMES).map((scheme) => `${scheme}:`).join(", ");
}

/** Returns the path of a `file:` URI (RFC 8089); undefined for another host or a malformed URI. */
export function filePath(rest: string): string | undefined {
  try {
    const path = /^\/\/(?:localhost)?(\/.*)$/i.exec(rest)?.[1] ?? rest;
    if (path === "" || path.startsWith("//")) return undefined;
    const decoded = decodeURIComponent(path).replace(/^\/([A-Za-z]:)/, "$1");
    return decoded.trim() === "" || decoded.includes("\0") ? undefined : decoded;
  } catch {
    return undefined; // a malformed percent escape
  }
}
