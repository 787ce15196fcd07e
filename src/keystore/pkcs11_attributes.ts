/**
 * The attributes of a `pkcs11:` URI (RFC 7512 sections 2.3 and 2.4) and the syntax of their values.
 *
 * @module
 */

/** Parsed attributes: lower-case names, percent-decoded values. */
type Attributes = ReadonlyMap<string, Uint8Array>;

/**
 * Function that returns the error of a value as the end of a sentence; undefined for a valid value.
 */
type Check = (text: string) => string | undefined;

const anyValue: Check = () => undefined;

/** Object types in `type=`. */
export const OBJECT_TYPES = ["private", "cert", "public", "secret-key", "data"] as const;

/** Path attributes (before the `?`), which match token, slot, library and object. */
const PATH_ATTRIBUTES: Readonly<Record<string, Check>> = {
  "token": anyValue,
  "manufacturer": anyValue,
  "serial": anyValue,
  "model": anyValue,
  "library-manufacturer": anyValue,
  "library-description": anyValue,
  "library-version": (text) => {
    const [, major, minor = "0"] = /^(\d{1,3})(?:\.(\d{1,3}))?$/.exec(text) ?? [];
    const fits = major !== undefined && Number(major) < 256 && Number(minor) < 256;
    return fits ? undefined : "is not a version such as 2.6";
  },
  "slot-manufacturer": anyValue,
  "slot-description": anyValue,
  "slot-id": (text) => /^\d{1,19}$/.test(text) ? undefined : "is not a number",
  "object": anyValue,
  "type": (text) =>
    OBJECT_TYPES.some((type) => type === text.toLowerCase())
      ? undefined
      : `is not one of ${OBJECT_TYPES.join(", ")}`,
  "id": anyValue,
  // Extension of this program: distinguishes certificates that are equal in all of the above.
  "x-certificate-sha256": (text) =>
    /^[0-9a-f]{64}$/i.test(text) ? undefined : "is not a SHA-256 in hex",
};

const pinSource: Check = (text) => {
  if (text.startsWith("|")) return "is a command, which is not run; use a file or env:NAME";
  return text === "" ? "is empty; use a file or env:NAME" : undefined;
};

/** Query attributes (after the `?`): the module and the PINs. */
const QUERY_ATTRIBUTES: Readonly<Record<string, Check>> = {
  "pin-value": anyValue,
  "pin-source": pinSource,
  "module-name": (text) => /^[^/\\]+$/.test(text) ? undefined : "is not a module name",
  "module-path": (text) =>
    /^([A-Za-z]:)?[\\/]/.test(text) ? undefined : "is not an absolute path; write it from the root",
  // Extension of this program: the PIN that some keys require for each signature
  // (CKU_CONTEXT_SPECIFIC).
  "context-pin-value": anyValue,
  "context-pin-source": pinSource,
};

/**
 * Query attributes whose values may be shown. Others contain a PIN, or may be misspelt names of
 * one.
 */
const SHOWN = ["pin-source", "context-pin-source", "module-name", "module-path"];

/** Source of a PIN that may be shown. A PIN that was passed as `pin-source` does not match. */
const PLACE = /^(?:file:|env:[A-Z][A-Z0-9_]*$)|[./\\]/i;

/** Replaces the values of a query that must not be printed. */
export function withoutSecrets(query: string): string {
  return query.split("&").map((attribute) => {
    const [name = ""] = attribute.split("=", 1);
    const known = name.toLowerCase();
    // The rest of a PIN that contains "&" looks like a name.
    if (!Object.hasOwn(QUERY_ATTRIBUTES, known) && !/^[\w-]{1,11}$/.test(known)) return "…";
    const value = attribute.slice(name.length + 1);
    const isShown = SHOWN.includes(known) && !/(pin|value)[^=]*=/i.test(value) &&
      (!known.endsWith("pin-source") || PLACE.test(value));
    return isShown ? attribute : `${name}=…`;
  }).join("&");
}

/** Pairs of attributes that exclude each other. */
const EXCLUSIVE = [
  ["pin-value", "pin-source"],
  ["context-pin-value", "context-pin-source"],
] as const;

/** Returns true for a vendor's query attribute. These are ignored and may be repeated. */
export function isVendorQueryAttribute(name: string): boolean {
  return !Object.hasOwn(QUERY_ATTRIBUTES, name);
}

/**
 * Returns the error of a `pkcs11:` URI's attributes, without their values; undefined if all are
 * valid.
 */
export function validatePkcs11Attributes(path: Attributes, query: Attributes): string | undefined {
  for (const [name, value] of path) {
    if (Object.hasOwn(QUERY_ATTRIBUTES, name)) return `"${name}" must come after the "?"`;
    const check = Object.hasOwn(PATH_ATTRIBUTES, name) ? PATH_ATTRIBUTES[name] : undefined;
    // By section 2.5 it matches nothing. An error shows a misspelling.
    if (!check) return `"${name}" is not an attribute of tokens or objects`;
    const wrong = check(decode(value));
    if (wrong) return `the value of "${name}" ${wrong}`;
  }
  for (const [name, value] of query) {
    if (Object.hasOwn(PATH_ATTRIBUTES, name)) return `"${name}" must come before the "?"`;
    const wrong = QUERY_ATTRIBUTES[name]?.(decode(value));
    if (wrong) return `the value of "${name}" ${wrong}`;
  }
  const both = EXCLUSIVE.find((names) => names.every((name) => query.has(name)));
  return both && `"${both[0]}" and "${both[1]}" cannot be used together; remove one`;
}

const decode = (value: Uint8Array) => new TextDecoder().decode(value);
