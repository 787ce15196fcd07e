/**
 * The attributes of a `pkcs11:` URI (RFC 7512 sections 2.3 and 2.4) and what their values may be.
 *
 * @module
 */

/** Parsed attributes: lower-case names, percent-decoded values. */
type Attributes = ReadonlyMap<string, Uint8Array>;

/** What is wrong with a value, as the end of a sentence; undefined when nothing is. */
type Check = (text: string) => string | undefined;

const anyValue: Check = () => undefined;

/** What each kind of object is called in `type=`. */
export const OBJECT_TYPES = ["private", "cert", "public", "secret-key", "data"] as const;

/** Before the `?`: what the token, its slot, its library and the object must have. */
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
    return fits ? undefined : "is no version such as 2.6";
  },
  "slot-manufacturer": anyValue,
  "slot-description": anyValue,
  "slot-id": (text) => /^\d{1,19}$/.test(text) ? undefined : "is no number",
  "object": anyValue,
  "type": (text) =>
    OBJECT_TYPES.some((type) => type === text.toLowerCase())
      ? undefined
      : `is none of ${OBJECT_TYPES.join(", ")}`,
  "id": anyValue,
  // Of this program: tells certificates apart that agree in all of the above.
  "x-certificate-sha256": (text) =>
    /^[0-9a-f]{64}$/i.test(text) ? undefined : "is no SHA-256 in hex",
};

const pinSource: Check = (text) => {
  if (text.startsWith("|")) return "names a command, which is not run; name a file or env:NAME";
  return text === "" ? "is empty; name a file or env:NAME" : undefined;
};

/** Behind the `?`: how to reach and unlock it. */
const QUERY_ATTRIBUTES: Readonly<Record<string, Check>> = {
  "pin-value": anyValue,
  "pin-source": pinSource,
  "module-name": (text) => /^[^/\\]+$/.test(text) ? undefined : "is no name of a module",
  "module-path": (text) =>
    /^([A-Za-z]:)?[\\/]/.test(text) ? undefined : "is no absolute path; write it from the root",
  // Of this program: the PIN that some keys want at each signature (CKU_CONTEXT_SPECIFIC).
  "context-pin-value": anyValue,
  "context-pin-source": pinSource,
};

/** Query attributes whose values may be shown. Others hold a PIN, or may be a misspelt name of one. */
const SHOWN = ["pin-source", "context-pin-source", "module-name", "module-path"];

/** A place as these attributes have it: a PIN given as `pin-source` is none. */
const PLACE = /^(?:file:|env:[A-Z][A-Z0-9_]*$)|[./\\]/i;

/** A query part without what must not be printed. */
export function withoutSecrets(query: string): string {
  return query.split("&").map((attribute) => {
    const [name = ""] = attribute.split("=", 1);
    const known = name.toLowerCase();
    // The rest of a PIN that holds "&" looks like a name, too.
    if (!Object.hasOwn(QUERY_ATTRIBUTES, known) && !/^[\w-]{1,11}$/.test(known)) return "…";
    const value = attribute.slice(name.length + 1);
    const isShown = SHOWN.includes(known) && !/(pin|value)[^=]*=/i.test(value) &&
      (!known.endsWith("pin-source") || PLACE.test(value));
    return isShown ? attribute : `${name}=…`;
  }).join("&");
}

/** Of each pair, one. */
const EXCLUSIVE = [
  ["pin-value", "pin-source"],
  ["context-pin-value", "context-pin-source"],
] as const;

/** Whether a query attribute is none of the above: such may stand several times, and is ignored. */
export function isVendorQueryAttribute(name: string): boolean {
  return !Object.hasOwn(QUERY_ATTRIBUTES, name);
}

/** What is wrong with the attributes of a `pkcs11:` URI; undefined when nothing is. Shows no value. */
export function validatePkcs11Attributes(path: Attributes, query: Attributes): string | undefined {
  for (const [name, value] of path) {
    if (Object.hasOwn(QUERY_ATTRIBUTES, name)) return `"${name}" belongs behind a "?"`;
    const check = Object.hasOwn(PATH_ATTRIBUTES, name) ? PATH_ATTRIBUTES[name] : undefined;
    // By section 2.5 nothing matches it; who misspelt it should know.
    if (!check) return `"${name}" is not an attribute that objects can be found by`;
    const wrong = check(decode(value));
    if (wrong) return `the value of "${name}" ${wrong}`;
  }
  for (const [name, value] of query) {
    if (Object.hasOwn(PATH_ATTRIBUTES, name)) return `"${name}" belongs before the "?"`;
    const wrong = QUERY_ATTRIBUTES[name]?.(decode(value));
    if (wrong) return `the value of "${name}" ${wrong}`;
  }
  const both = EXCLUSIVE.find((names) => names.every((name) => query.has(name)));
  return both && `"${both[0]}" and "${both[1]}" stand together; leave one out`;
}

const decode = (value: Uint8Array) => new TextDecoder().decode(value);
