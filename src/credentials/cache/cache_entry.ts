/**
 * File of one cached session: mode 0600, owned by this user, never opened through a link.
 *
 * @module
 */
import { messageOf } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import { replaceFile } from "../../files/atomic_file.ts";
import { errnoOf } from "../../files/file_errors.ts";
import { HeldEntry } from "../../files/held_entry.ts";

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

/** Reads the session stored in `path` under `key`. `holds` is false where entries cannot be held. */
export function readEntry(path: string, key: string, holds = HeldEntry.isSupported): CacheEntry {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const found = openEntry(path, holds);
    if ("kind" in found) return found;
    using file = found.file;
    try {
      const info = file.statSync();
      // Another file: a link in its place leads to one, too.
      if (info.dev !== found.info.dev || info.ino !== found.info.ino) continue;
      const fault = faultOf(info);
      return fault ? unusable(fault) : parseEntry(readText(file), key);
    } catch (thrown) {
      return unusable(`cannot be read (${messageOf(thrown)})`);
    }
  }
  return unusable("was replaced each time it was opened");
}

/** An open file, and the metadata of its path before it was opened. */
interface OpenedEntry {
  readonly file: Deno.FsFile;
  readonly info: Deno.FileInfo;
}

/** Opens a regular file: on Linux the entry itself, so that a FIFO in its place cannot block. */
function openEntry(path: string, holds: boolean): CacheEntry | OpenedEntry {
  try {
    using held = holds ? HeldEntry.open(path) : undefined;
    const info = held?.stat() ?? Deno.lstatSync(path);
    if (info.isSymlink) return unusable("is a symbolic link");
    if (!info.isFile) return unusable("is not a regular file");
    return { file: Deno.openSync(held?.path ?? path), info };
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return { kind: "none" };
    return unusable(`cannot be opened (${messageOf(thrown)})`);
  }
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
  if (!info.isFile) return "is not a regular file";
  if (info.size > MAX_ENTRY_BYTES) return "is too large to be a session";
  if (Deno.build.os === "windows") return undefined; // the directory is the user's own
  if (info.uid !== Deno.uid()) return "belongs to another user";
  const mode = info.mode ?? 0o777;
  return (mode & 0o077) === 0
    ? undefined
    : `is open to others (mode ${(mode & 0o777).toString(8)})`;
}

function readText(file: Deno.FsFile): string {
  const buffer = new Uint8Array(MAX_ENTRY_BYTES);
  let length = 0;
  while (length < buffer.length) {
    const count = file.readSync(buffer.subarray(length));
    if (!count) break;
    length += count;
  }
  return new TextDecoder().decode(buffer.subarray(0, length));
}

function parseEntry(text: string, key: string): CacheEntry {
  let entry: unknown;
  try {
    entry = JSON.parse(text);
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
