/**
 * Reads `--cert-selector` (arguments or a file) into a source in the platform's certificate store.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import { SourceError } from "../files/source_error.ts";
import { descriptionOf, type KeystoreUri, type Scheme, schemesOf } from "../keystore/uri.ts";
import { parseSelector, SelectorError, type SelectorValues } from "../x509/selector.ts";
import { readSelectorArguments, readSelectorJson } from "../x509/selector_syntax.ts";
import type { Platform } from "./system.ts";

const FLAG = "--cert-selector";
/** Prefix of an argument that names a file, as in the AWS CLI. */
const FILE_PREFIX = "file://";
/** Maximum size of a selector file, bytes. */
const MAX_FILE_BYTES = 65_536;

/** Names of the platforms in messages. */
const PLATFORM_NAMES: Readonly<Record<Platform, string>> = {
  linux: "Linux",
  darwin: "macOS",
  windows: "Windows",
};

/**
 * Returns the URI for the certificates that the flag's arguments select in the platform's store.
 *
 * Throws `usage` for a malformed selector, on every platform, and `keystore-unavailable`.
 */
export async function selectFromStore(
  texts: readonly string[],
  readFile: (path: string) => Promise<Uint8Array>,
  platform: Platform,
  source: string,
): Promise<KeystoreUri> {
  const selected = await readCertSelector(texts, readFile, source);
  return createStoreUri(requireStore(platform, source), selected);
}

/**
 * Reads the flag's arguments: `Key=…,Value=…` in one or several, or one `file://PATH`.
 *
 * Throws `usage`, naming the flag and, if there is one, the file.
 */
export async function readCertSelector(
  texts: readonly string[],
  readFile: (path: string) => Promise<Uint8Array>,
  source = FLAG,
): Promise<SelectorValues> {
  const [first = "", ...rest] = texts;
  const path = first.startsWith(FILE_PREFIX) ? first.slice(FILE_PREFIX.length) : undefined;
  const where = path === undefined ? source : `${source}: ${path}`;
  try {
    const values = path === undefined
      ? readSelectorArguments(texts)
      : readSelectorJson(await readSelectorFile(path, rest, readFile));
    parseSelector(values);
    return values;
  } catch (cause) {
    if (!(cause instanceof SelectorError)) throw cause;
    throw new HelperError("usage", `${where}: ${cause.message}`, { cause });
  }
}

async function readSelectorFile(
  path: string,
  extraArguments: readonly string[],
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<string> {
  if (extraArguments.length > 0) {
    throw new SelectorError("only one argument is allowed with file://; remove the others");
  }
  let bytes: Uint8Array;
  try {
    // file:///C:/x is a path on a drive.
    bytes = await readFile(path.replace(/^\/([A-Za-z]:)/, "$1"));
  } catch (cause) {
    if (cause instanceof SourceError && cause.fault !== "missing") {
      throw new SelectorError(`the file ${cause.message}`, { cause });
    }
    throw new SelectorError("the file cannot be read; check that it exists and is readable", {
      cause,
    });
  }
  if (bytes.length > MAX_FILE_BYTES) {
    throw new SelectorError("the file is too large for a selector; name another file");
  }
  // PowerShell writes UTF-16 with a byte order mark.
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SelectorError("the file is not UTF-8 or UTF-16 text; save it as UTF-8", { cause });
  }
}

/** Returns the URI for the certificates that the values select in the store of `scheme`. */
export function createStoreUri(scheme: Scheme, values: SelectorValues): KeystoreUri {
  const encoder = new TextEncoder();
  return {
    scheme,
    displayName: FLAG,
    path: "",
    attributes: new Map([...values].map(([key, value]) => [key, encoder.encode(value)])),
    query: new Map(),
  };
}

/** Returns a URI for all certificates of the platform's store. Throws `keystore-unavailable`. */
export function createWholeStoreUri(platform: Platform, command: string): KeystoreUri {
  const scheme = requireStore(platform, command);
  return { ...createStoreUri(scheme, new Map()), displayName: `${scheme}:` };
}

/** Returns the scheme of the platform's store. The error names the flag or command that needs it. */
function requireStore(platform: Platform, requestedBy: string): Scheme {
  const store = schemesOf(platform).find((scheme) => descriptionOf(scheme).isStore);
  if (store) return store;
  throw new HelperError(
    "keystore-unavailable",
    `${requestedBy}: ${
      PLATFORM_NAMES[platform]
    } has no certificate store; use --certificate with a file or a pkcs11: URI`,
  );
}
