/**
 * Credentials file that is written in place, because it cannot be replaced. Either it is a mount
 * point, or its directory is not writable. A lock of the file itself (flock) excludes other writers
 * of this program.
 *
 * @module
 */
import type { FilePlace } from "../../files/file_place.ts";
import { notChangedError } from "../../files/file_errors.ts";
import { HeldEntry } from "../../files/held_entry.ts";

/** Opens the existing regular file for reading and writing, never through a link. */
export function openInPlace(place: FilePlace, path: string): Deno.FsFile {
  const rights = { read: true, write: true };
  // Linux: the checked file is the opened file.
  using held = HeldEntry.isSupported ? HeldEntry.open(place.path()) : undefined;
  const { isFile, nlink } = held ? held.stat() : Deno.lstatSync(place.path());
  if (!isFile) throw notChangedError(path, "it is not a regular file; name another");
  if (place.isForeign && nlink !== 1) {
    throw notChangedError(path, "it has another name (hard link) in a directory of another user");
  }
  return Deno.openSync(held?.path ?? place.path(), rights);
}

/** Returns true if the open file is still the one at its path. */
export function isAtPlace(file: Deno.FsFile, place: FilePlace): boolean {
  const { ino, dev } = file.statSync();
  const there = Deno.lstatSync(place.path());
  return there.ino === ino && there.dev === dev;
}

/**
 * Writes `bytes` over the content and syncs. If that fails, the old content is written back, and the
 * system's error is thrown.
 */
export function overwrite(file: Deno.FsFile, bytes: Uint8Array, old: Uint8Array): void {
  try {
    writeAll(file, bytes);
  } catch (thrown) {
    try {
      writeAll(file, old);
    } catch {
      // the first error is the reason
    }
    throw thrown;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  file.seekSync(0, Deno.SeekMode.Start);
  for (let written = 0; written < bytes.length;) {
    written += file.writeSync(bytes.subarray(written));
  }
  // Last, so that readers never see an empty file.
  file.truncateSync(bytes.length);
  file.syncSync();
}

/** Reads the whole file, `size` bytes at most. */
export function readOpenFile(file: Deno.FsFile, size: number): Uint8Array<ArrayBuffer> {
  const buffer = new Uint8Array(size);
  file.seekSync(0, Deno.SeekMode.Start);
  let length = 0;
  while (length < size) {
    const count = file.readSync(buffer.subarray(length));
    if (count === null) break;
    length += count;
  }
  return buffer.subarray(0, length);
}
