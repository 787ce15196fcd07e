/**
 * Reading the bytes of a key file.
 *
 * @module
 */
import { HelperError, messageOf } from "../../src/errors.ts";
import { pathAdvice } from "../../src/keystore/path_advice.ts";

/** No key or bundle of certificates is as large as this, in bytes. */
export const LARGEST_FILE = 4 * 1024 * 1024;

/** Opens a file for reading; {@link Deno.open} outside tests. */
export type OpenFile = (path: string) => Promise<Pick<Deno.FsFile, "read" | "close">>;

/** Where a key on standard input is said to be; Windows has no file of that name. */
const STANDARD_INPUT = "/dev/stdin";

const openFile: OpenFile = (path) =>
  Deno.build.os === "windows" && path === STANDARD_INPUT
    ? Promise.resolve(standardInput())
    : Deno.open(path);

function standardInput(): Awaited<ReturnType<OpenFile>> {
  return {
    read: (buffer) => Deno.stdin.read(buffer),
    close: () => Deno.stdin.close(),
  };
}

/**
 * Reads a file as {@link readAll} does. Throws `key-format` when it is empty, too.
 */
export async function readKeyFile(
  path: string,
  label: string,
  open: OpenFile = openFile,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readAll(path, label, open);
  if (bytes.length === 0) throw new HelperError("key-format", `${label} is empty`);
  return bytes;
}

/**
 * Reads all of a regular file, a named pipe, `/dev/stdin` or `/dev/fd/N` (a shell's `<(…)`), to its
 * end.
 *
 * Throws `key-not-found` when there is none, `key-unreadable` when it cannot be read, and
 * `key-format` when it is larger than {@link LARGEST_FILE}. Messages name it by `label`.
 */
export async function readAll(
  path: string,
  label: string,
  open: OpenFile = openFile,
): Promise<Uint8Array<ArrayBuffer>> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const file = await open(path);
    try {
      bytes = await readToEnd(file, label);
    } finally {
      file.close();
    }
  } catch (thrown) {
    throw unreadable(thrown, label);
  }
  return bytes;
}

async function readToEnd(
  file: Awaited<ReturnType<OpenFile>>,
  label: string,
): Promise<Uint8Array<ArrayBuffer>> {
  let buffer = new Uint8Array(16 * 1024);
  let length = 0;
  for (;;) {
    if (length === buffer.length) buffer = grown(buffer);
    const count = await file.read(buffer.subarray(length));
    if (count === null) break;
    length += count;
    if (length > LARGEST_FILE) {
      buffer.fill(0);
      throw new HelperError(
        "key-format",
        `${label} is larger than ${LARGEST_FILE / 1024 / 1024} MiB, which no key or certificate ` +
          "file is; check the path",
      );
    }
  }
  const bytes = buffer.slice(0, length);
  buffer.fill(0);
  return bytes;
}

function grown(buffer: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * buffer.length);
  larger.set(buffer);
  buffer.fill(0);
  return larger;
}

function unreadable(cause: unknown, label: string): HelperError {
  if (cause instanceof HelperError) return cause;
  if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) {
    const advice = pathAdvice(label) ?? "check the path";
    return new HelperError("key-not-found", `${label} does not exist; ${advice}`, { cause });
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return new HelperError(
      "key-unreadable",
      `${label} may not be read by this user; change its owner or its permissions`,
      { cause },
    );
  }
  if (cause instanceof Deno.errors.IsADirectory) {
    return new HelperError("key-unreadable", `${label} is a directory; name a file in it`, {
      cause,
    });
  }
  return new HelperError("key-unreadable", `${label} cannot be read: ${messageOf(cause)}`, {
    cause,
  });
}
