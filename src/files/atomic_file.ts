/**
 * Atomic replacement of a file: readers see the complete old or new content, also after a crash.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "../path.ts";
import { encodeHex } from "@std/encoding/hex";

/** The owner of a file, and the permissions that it keeps; 0600 if they are absent. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly mode?: number;
}

/** Only its owner may read and write it. */
const PRIVATE = 0o600;

/**
 * Writes `bytes` to a new file of mode 0600 next to `path`, syncs it, and renames it to `path`. With
 * `owner` the file gets that owner and mode. A group that this user is not in is
 * omitted, with its permissions.
 *
 * Throws the system's error; then `path` is unchanged, and no temporary file is left.
 */
export function replaceFile(path: string, bytes: Uint8Array, owner?: Owner): void {
  const temporary = join(dirname(path), `${temporaryPrefix(path)}${randomName()}.tmp`);
  // Owner and mode are set on the descriptor, not on the path. In a directory that others can write
  // to, the path may lead to another file by then. (Windows has no O_NOFOLLOW.)
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL |
    (constants.O_NOFOLLOW ?? 0);
  const descriptor = openSync(temporary, flags, PRIVATE);
  try {
    try {
      const hasGroup = owner ? changeOwner(descriptor, owner) : false;
      const mode = (owner?.mode ?? PRIVATE) & (hasGroup ? 0o777 : 0o707);
      if (Deno.build.os !== "windows") changeMode(descriptor, mode);
      for (let written = 0; written < bytes.length;) {
        written += writeSync(descriptor, bytes, written);
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    Deno.renameSync(temporary, path);
  } catch (thrown) {
    removeQuietly(temporary);
    throw thrown;
  }
  syncDirectory(dirname(path));
}

/**
 * Removes temporary files that killed writers left next to `path`. Call it only with the lock that
 * every writer of `path` takes. It also removes files that are being written.
 */
export function removeLeftovers(path: string): void {
  const directory = dirname(path);
  const start = temporaryPrefix(path);
  for (const { name, isFile } of Deno.readDirSync(directory)) {
    if (isFile && name.startsWith(start) && /^[0-9a-f]{16}\.tmp$/.test(name.slice(start.length))) {
      removeQuietly(join(directory, name));
    }
  }
}

function temporaryPrefix(path: string): string {
  return `.${basename(path)}.aws_signing_helper.`;
}

function randomName(): string {
  return encodeHex(crypto.getRandomValues(new Uint8Array(8)));
}

/**
 * Changes the mode, whatever the umask is. A file that was passed on to another owner, and has the
 * mode, is left as it is. Without CAP_FOWNER this process may not change it.
 */
function changeMode(descriptor: number, mode: number): void {
  if ((fstatSync(descriptor).mode & 0o7777) !== mode) fchmodSync(descriptor, mode);
}

/** Changes the owner. Returns false if the group could not be changed. */
function changeOwner(descriptor: number, { uid, gid }: Owner): boolean {
  if (Deno.build.os === "windows") return true;
  const has = fstatSync(descriptor);
  if (has.uid === uid && has.gid === gid) return true;
  try {
    fchownSync(descriptor, uid, gid);
    return true;
  } catch (thrown) {
    if (has.uid !== uid) throw thrown;
    return false; // not a group of this user
  }
}

/** Syncs the directory. Errors are ignored: not every file system supports it. */
function syncDirectory(directory: string): void {
  if (Deno.build.os === "windows") return;
  try {
    using opened = Deno.openSync(directory);
    opened.syncSync();
  } catch {
    // the old or the new file is complete
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // already removed, or the directory is not writable any more
  }
}
