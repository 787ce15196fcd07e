/**
 * `--cert-selector`: from its arguments, or the file they name, to a source in the platform's store.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import { SourceError } from "../files/source_file.ts";
import type { KeystoreUri, Scheme } from "../keystore/uri.ts";
import { parseSelector, SelectorError, type SelectorValues } from "../x509/selector.ts";
import { readSelectorArguments, readSelectorJson } from "../x509/selector_syntax.ts";

const FLAG = "--cert-selector";
/** As the AWS CLI writes the contents of a file as a value. */
const FILE = "file://";
/** A longer file is a wrong one, bytes. */
const MAX_FILE_BYTES = 65_536;

/**
 * Reads the flag's arguments: `Key=…,Value=…` in one or several, or one `file://PATH`.
 *
 * Throws `usage`, naming the flag and, if there is one, the file.
 */
export function certSelectorValues(
  texts: readonly string[],
  readFile: (path: string) => Uint8Array,
  source = FLAG,
): SelectorValues {
  const [first = "", ...rest] = texts;
  const path = first.startsWith(FILE) ? first.slice(FILE.length) : undefined;
  const where = path === undefined ? source : `${source}: ${path}`;
  try {
    const values = path === undefined
      ? readSelectorArguments(texts)
      : readSelectorJson(readText(path, rest, readFile));
    parseSelector(values);
    return values;
  } catch (cause) {
    if (!(cause instanceof SelectorError)) throw cause;
    throw new HelperError("usage", `${where}: ${cause.message}`, { cause });
  }
}

function readText(
  path: string,
  leftOver: readonly string[],
  readFile: (path: string) => Uint8Array,
): string {
  if (leftOver.length > 0) {
    throw new SelectorError("another argument follows the file's name; leave it out");
  }
  let bytes: Uint8Array;
  try {
    // file:///C:/x is a path on a drive.
    bytes = readFile(path.replace(/^\/([A-Za-z]:)/, "$1"));
  } catch (cause) {
    if (cause instanceof SourceError && cause.fault !== "missing") {
      throw new SelectorError(`the file ${cause.message}`, { cause });
    }
    throw new SelectorError("the file cannot be read; check that it exists and is yours", {
      cause,
    });
  }
  if (bytes.length > MAX_FILE_BYTES) {
    throw new SelectorError("the file is too large for a selector");
  }
  // PowerShell writes UTF-16 with a byte order mark.
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SelectorError("the file is not text in UTF-8 or UTF-16", { cause });
  }
}

/** The source in the store of `scheme` that the values select. */
export function storeUri(scheme: Scheme, values: SelectorValues): KeystoreUri {
  const encoder = new TextEncoder();
  return {
    scheme,
    displayName: FLAG,
    path: "",
    attributes: new Map([...values].map(([key, value]) => [key, encoder.encode(value)])),
    query: new Map(),
  };
}
