/**
 * File of one cached session: mode 0600, owned by this user, never opened through a link.
 *
 * @module
 */
import { messageOf } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import { replaceFile } from "../../files/atomic_file.ts";
import { errnoOf } from "../../files/errno.ts";
import { readOwnSource } from "../../files/source_file.ts";
import { SourceError } from "../../files/source_error.ts";

/** Result of reading a session's file. */
export type CacheEntry =
  | {
    readonly kind: "session";
    readonly credentials: SessionCredentials;
    /** The time of its CreateSession call; invalid in entries of earlier versions. */
    readonly fetched: Date;
  }
  | { readonly kind: "none" }
  /** A file that is not used; `why` continues a sentence that begins with the file's name. */
  | { readonly kind: "unusable"; readonly why: string };

/** Maximum size of a session's file, bytes. */
const MAX_ENTRY_BYTES = 65_536;

/** Number of attempts to open a file that another run replaces. */
const MAX_ATTEMPTS = 3;

/** True where a file is opened in a thread and known by its descriptor. */
export const READS_IN_THREAD = Deno.build.os === "linux";

/**
 * Reads the session stored in `path` under `key`. With `inThread`, a file system that does not
 * respond blocks only a thread. It then opens nothing that takes the place of the file. Throws
 * {@link SourceError} `slow`.
 */
export async function readEntry(
  path: string,
  key: string,
  inThread = READS_IN_THREAD,
): Promise<CacheEntry> {
  if (!inThread) return readByRuntime(path, key);
  try {
    return parseEntry(await readOwnSource(path, { maxBytes: MAX_ENTRY_BYTES, faultOf }), key);
  } catch (thrown) {
    if (!(thrown instanceof SourceError) || thrown.fault === "slow") throw thrown;
    if (thrown.fault === "missing") return { kind: "none" };
    return unusable(thrown.fault === "pipe" ? NOT_REGULAR : thrown.message);
  }
}

const NOT_REGULAR = "is not a regular file";

/** Reads by the runtime's functions, which follow a link: what was opened is compared with the path. */
function readByRuntime(path: string, key: string): CacheEntry {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      const found = Deno.lstatSync(path);
      if (found.isSymlink) return unusable("is a symbolic link");
      if (!found.isFile) return unusable(NOT_REGULAR);
      using file = Deno.openSync(path);
      const info = file.statSync();
      if (info.dev !== found.dev || info.ino !== found.ino) continue;
      const fault = faultOf(info);
      return fault ? unusable(fault) : parseEntry(readAll(file), key);
    } catch (thrown) {
      if (errnoOf(thrown) === "ENOENT") return { kind: "none" };
      return unusable(`cannot be read (${messageOf(thrown)})`);
    }
  }
  return unusable("was replaced each time it was opened");
}

/** Stores a session in `path` under `key`, atomically. Throws the system's error. */
export function writeEntry(
  path: string,
  key: string,
  credentials: SessionCredentials,
  fetched: Date,
): void {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
  const entry = { key, accessKeyId, secretAccessKey, sessionToken, expiration, fetched };
  replaceFile(path, new TextEncoder().encode(`${JSON.stringify(entry)}\n`));
}

function unusable(why: string): CacheEntry {
  return { kind: "unusable", why };
}

/** Returns why the open file must not be used. `info` is of the descriptor, not of the path. */
function faultOf(info: Deno.FileInfo): string | undefined {
  if (!info.isFile) return NOT_REGULAR;
  if (info.size > MAX_ENTRY_BYTES) return "is too large to be a session";
  if (Deno.build.os === "windows") return undefined; // the directory is the user's own
  if (info.uid !== Deno.uid()) return "belongs to another user";
  const mode = info.mode ?? 0o777;
  return (mode & 0o077) === 0
    ? undefined
    : `is open to others (mode ${(mode & 0o777).toString(8)})`;
}

function readAll(file: Deno.FsFile): Uint8Array {
  const buffer = new Uint8Array(MAX_ENTRY_BYTES);
  let length = 0;
  while (length < buffer.length) {
    const count = file.readSync(buffer.subarray(length));
    if (!count) break;
    length += count;
  }
  return buffer.subarray(0, length);
}

function parseEntry(contents: Uint8Array, key: string): CacheEntry {
  let entry: unknown;
  try {
    entry = JSON.parse(new TextDecoder().decode(contents));
  } catch {
    return unusable("does not contain a session");
  }
  const value = (name: string): string => {
    const found = typeof entry === "object" && entry !== null && Object.hasOwn(entry, name)
      ? Reflect.get(entry, name)
      : undefined;
    return typeof found === "string" ? found : "";
  };
  const credentials = {
    accessKeyId: value("accessKeyId"),
    secretAccessKey: value("secretAccessKey"),
    sessionToken: value("sessionToken"),
    expiration: new Date(value("expiration")),
  };
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
  const isComplete = accessKeyId !== "" && secretAccessKey !== "" && sessionToken !== "" &&
    !Number.isNaN(expiration.getTime());
  return isComplete && value("key") === key
    ? { kind: "session", credentials, fetched: new Date(value("fetched")) }
    : unusable("does not contain the session of its name");
}
