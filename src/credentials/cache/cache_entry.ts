/**
 * File of one cached session: mode 0600, owned by this user, never opened through a link.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { messageOf } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import { replaceFile } from "../../files/atomic_file.ts";
import { errnoOf } from "../../files/file_errors.ts";

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

/** Reads the session stored in `path` under `key`. */
export function readEntry(path: string, key: string): CacheEntry {
  let descriptor: number;
  try {
    // Windows has no O_NOFOLLOW. O_NONBLOCK: opening a FIFO must not block.
    const flags = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    if (Deno.build.os === "windows" && Deno.lstatSync(path).isSymlink) return LINK;
    descriptor = openSync(path, constants.O_RDONLY | flags);
  } catch (thrown) {
    const code = errnoOf(thrown);
    if (code === "ENOENT") return { kind: "none" };
    if (code === "ELOOP") return LINK;
    return unusable(`cannot be opened (${messageOf(thrown)})`);
  }
  try {
    const fault = faultOf(descriptor);
    return fault ? unusable(fault) : parseEntry(readText(descriptor), key);
  } catch (thrown) {
    return unusable(`cannot be read (${messageOf(thrown)})`);
  } finally {
    closeSync(descriptor);
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

const LINK = unusable("is a symbolic link");

function unusable(why: string): CacheEntry {
  return { kind: "unusable", why };
}

/** Returns why the open file must not be used. Checks the descriptor, not the path. */
function faultOf(descriptor: number): string | undefined {
  const info = fstatSync(descriptor);
  if (!info.isFile()) return "is not a regular file";
  if (info.size > MAX_ENTRY_BYTES) return "is too large to be a session";
  if (Deno.build.os === "windows") return undefined; // the directory is the user's own
  if (info.uid !== Deno.uid()) return "belongs to another user";
  if ((info.mode & 0o077) !== 0) {
    return `is open to others (mode ${(info.mode & 0o777).toString(8)})`;
  }
  return undefined;
}

function readText(descriptor: number): string {
  const buffer = new Uint8Array(MAX_ENTRY_BYTES);
  let length = 0;
  for (let count = -1; count !== 0; length += count) {
    count = readSync(descriptor, buffer, length, buffer.length - length, null);
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
