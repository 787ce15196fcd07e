/**
 * Existing credentials file: opened once, and checked by its descriptor.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
} from "node:fs";
import type { FilePlace } from "../../files/file_place.ts";
import { errnoOf } from "../../files/errno.ts";
import { notChangedError } from "../../files/file_errors.ts";

/** Existing file: its text, and metadata to detect later changes. */
export interface ExistingFile {
  readonly text: string;
  /** Encoding of the text; latin1 preserves the bytes of a file that is not UTF-8. */
  readonly encoding: "utf8" | "latin1";
  readonly info: Stats;
}

/** Maximum size of a credentials file, bytes. */
export const MAX_SIZE = 16 << 20;

/**
 * Reads the file; returns undefined if it does not exist. It is opened once, never through a link, and
 * checked by its descriptor.
 *
 * Throws `credentials-file` for a file that must not be replaced, and the system's error.
 */
export function readExistingFile(place: FilePlace, path: string): ExistingFile | undefined {
  const descriptor = openExisting(place, path);
  if (descriptor === undefined) return undefined;
  let info: Stats;
  let bytes: Buffer;
  try {
    info = fstatSync(descriptor);
    checkReplaceable(info, path);
    if (info.size > MAX_SIZE) {
      throw notChangedError(
        path,
        `it is larger than ${MAX_SIZE >> 20} MiB; name a credentials file`,
      );
    }
    bytes = readAll(descriptor, info.size);
  } finally {
    closeSync(descriptor);
  }
  return { ...decode(bytes, path), info };
}

/** Returns the text of a file's bytes. Throws `credentials-file` for text that SDKs do not read. */
export function decode(bytes: Buffer, path: string): Pick<ExistingFile, "text" | "encoding"> {
  if (/^(\xff\xfe|\xfe\xff)/.test(bytes.toString("latin1", 0, 2))) {
    throw notChangedError(path, "it is UTF-16 text, which AWS SDKs do not read; save it as UTF-8");
  }
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes)
    ? { text, encoding: "utf8" }
    : { text: bytes.toString("latin1"), encoding: "latin1" };
}

/** Throws the errors of {@link readExistingFile} before anything is created in the directory. */
export function checkExisting(place: FilePlace, path: string): void {
  try {
    checkReplaceable(lstatSync(place.path()), path);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
  }
}

/** Returns whether the file has changed since it was read. */
export function hasChanged(place: FilePlace, read: Stats | undefined): boolean {
  try {
    const { ino, size, mtime } = Deno.lstatSync(place.path());
    return !read || ino !== read.ino || size !== read.size ||
      mtime?.getTime() !== read.mtime?.getTime();
  } catch {
    return read !== undefined;
  }
}

/** Opens the file without blocking; undefined if it does not exist. (Windows has neither flag.) */
function openExisting(place: FilePlace, path: string): number | undefined {
  const flags = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  try {
    return openSync(place.path(), constants.O_RDONLY | flags);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return undefined;
    if (errnoOf(thrown) !== "ELOOP") throw thrown;
    throw notChangedError(path, "it became a symbolic link meanwhile; run this as its owner");
  }
}

function checkReplaceable(info: Stats, path: string): void {
  if (info.isDirectory()) throw notChangedError(path, "it is a directory; name a file in it");
  if (!info.isFile()) throw notChangedError(path, "it is not a regular file; name another");
  if (Deno.build.os === "windows") return;
  if ((info.mode & 0o200) === 0) {
    throw notChangedError(
      path,
      "it is read-only; allow its owner to write to it (chmod u+w), or name another",
    );
  }
  if (Deno.uid() !== 0 && Deno.uid() !== info.uid) {
    throw notChangedError(
      path,
      "it belongs to another user; run this as its owner, or name another file",
    );
  }
}

/** Reads to the end; growth meanwhile is detected later. */
function readAll(descriptor: number, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const count = readSync(descriptor, buffer, length, size - length, null);
    if (count === 0) break;
    length += count;
  }
  return buffer.subarray(0, length);
}
