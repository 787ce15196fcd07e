/**
 * Reading the bytes of a key file.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import { readSource, SourceError } from "../../src/files/source_file.ts";
import { pathAdvice } from "../../src/keystore/path_advice.ts";

/** No key or bundle of certificates is as large as this, in bytes. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

/**
 * Reads a file as {@link readAll} does. Throws `key-format` when it is empty, too.
 */
export async function readKeyFile(
  path: string,
  displayName: string,
  read: typeof readSource = readSource,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readAll(path, displayName, read);
  if (bytes.length === 0) throw new HelperError("key-format", `${displayName} is empty`);
  return bytes;
}

/**
 * Reads all of a regular file, a named pipe, `/dev/stdin` or `/dev/fd/N` (a shell's `<(…)`), to its
 * end.
 *
 * Throws `key-not-found` when there is none, `key-unreadable` when it cannot be read, and
 * `key-format` when it is larger than {@link MAX_FILE_BYTES}. Messages name it by `displayName`.
 */
export async function readAll(
  path: string,
  displayName: string,
  read: typeof readSource = readSource,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await read(path, { maxBytes: MAX_FILE_BYTES });
  } catch (cause) {
    if (!(cause instanceof SourceError)) throw cause;
    switch (cause.fault) {
      case "missing": {
        const advice = pathAdvice(displayName) ?? "check the path";
        throw new HelperError("key-not-found", `${displayName} does not exist; ${advice}`, {
          cause,
        });
      }
      case "large":
        throw new HelperError("key-format", `${displayName} ${cause.message}`, { cause });
      default:
        throw new HelperError("key-unreadable", `${displayName} ${cause.message}`, { cause });
    }
  }
}
