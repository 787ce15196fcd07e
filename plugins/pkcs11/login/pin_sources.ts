/**
 * Reads PINs from the URI, a file, the environment or a flag.
 *
 * @module
 */
import { describeFile, describeVariable, HelperError } from "../../../src/errors.ts";
import { readSource } from "../../../src/files/source_file.ts";
import { SourceError } from "../../../src/files/source_error.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { filePath, type KeystoreUri } from "../../../src/keystore/uri.ts";

/** PIN and its source. */
export interface GivenPin {
  readonly pin: Uint8Array;
  /** For messages: a flag, a variable or an attribute of the URI. */
  readonly from: string;
}

/** Maximum length of a PIN file's contents, bytes; a longer one is the wrong file. */
const MAX_PIN_BYTES = 4096;
const MAX_PIN_FILE_BYTES = 1 << 20;

/** Returns true if the URI has the PIN of the token. */
export function hasUserPin({ query }: KeystoreUri): boolean {
  return query.has("pin-value") || query.has("pin-source");
}

/** Reads the PIN of the token (CKU_USER): `pin-value` or `pin-source` of the URI. */
export async function readUserPin(
  uri: KeystoreUri,
  context: KeystoreContext,
): Promise<GivenPin | undefined> {
  return await readUriPin(uri, context, "pin");
}

/** Reads the PIN for a signature (CKU_CONTEXT_SPECIFIC): `--context-pin`, then the URI's. */
export async function readContextPin(
  uri: KeystoreUri,
  context: KeystoreContext,
): Promise<GivenPin | undefined> {
  const given = await context.secret("context-pin");
  if (given) {
    return requireNotEmpty({ pin: new TextEncoder().encode(given.text), from: given.source });
  }
  return await readUriPin(uri, context, "context-pin");
}

async function readUriPin(
  uri: KeystoreUri,
  context: KeystoreContext,
  prefix: "pin" | "context-pin",
): Promise<GivenPin | undefined> {
  const value = uri.query.get(`${prefix}-value`);
  // Copy it: callers wipe the PIN, and the URI is used again.
  if (value) return requireNotEmpty({ pin: Uint8Array.from(value), from: `${prefix}-value` });
  const source = uri.query.get(`${prefix}-source`);
  if (!source) return undefined;
  const from = `${prefix}-source`;
  const pin = await readPin(new TextDecoder().decode(source), from, context);
  return requireNotEmpty({ pin, from });
}

/** Reads the first line of a file, named by path or `file:` URI, or the variable of `env:NAME`. */
async function readPin(
  source: string,
  from: string,
  context: KeystoreContext,
): Promise<Uint8Array> {
  const refuse = (why: string, cause?: unknown) =>
    new HelperError("secret-source", `${from}: ${why}`, { cause });
  const variable = /^env:(.*)$/is.exec(source)?.[1];
  if (variable !== undefined) {
    const text = context.environment(variable);
    if (text === undefined) throw refuse(`${describeVariable(variable)} is not set`);
    return new TextEncoder().encode(text);
  }
  const uri = /^file:(.*)$/is.exec(source)?.[1];
  const path = uri === undefined ? source : filePath(uri);
  if (path === undefined) {
    throw refuse("it is not a file: URI of this machine; use file:/PATH or env:NAME");
  }
  let bytes: Uint8Array;
  try {
    bytes = await readSource(path, { maxBytes: MAX_PIN_FILE_BYTES });
  } catch (cause) {
    if (cause instanceof SourceError && /^(device|no-writer|slow|large)$/.test(cause.fault)) {
      throw refuse(`${describeFile(path)} ${cause.message}`, cause);
    }
    throw refuse(`${describeFile(path)} cannot be read; check that it exists and is yours`, cause);
  }
  if (bytes.length > MAX_PIN_BYTES) {
    throw refuse(`${describeFile(path)} is too large to hold a PIN`);
  }
  const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  const line = bytes.slice(0, end < 0 ? bytes.length : end);
  bytes.fill(0);
  return line;
}

function requireNotEmpty(given: GivenPin): GivenPin {
  if (given.pin.length > 0) return given;
  throw new HelperError(
    "secret-source",
    `${given.from}: the PIN is empty; leave it out to be prompted for it`,
  );
}
