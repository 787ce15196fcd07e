/**
 * Reads the bytes of a key file.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import { readSource, SourceError } from "../../src/files/source_file.ts";
import { pathAdvice } from "../../src/keystore/path_advice.ts";

/** Largest file that is read, in bytes. Keys and certificate bundles are smaller. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Reads a file like {@link readAll}. Also throws `key-format` if it is empty. */
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
 * Reads a regular file, a named pipe, `/dev/stdin` or `/dev/fd/N` (a shell's `<(…)`) to its end.
 *
 * Throws `key-not-found` if it does not exist, `key-unreadable` if it cannot be read, and
 * `key-format` if it is larger than {@link MAX_FILE_BYTES}. Messages use `displayName`.
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
