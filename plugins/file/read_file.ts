/**
 * Reads the bytes of a key file.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import { readSource } from "../../src/files/source_file.ts";
import { SourceError } from "../../src/files/source_error.ts";
import { pathAdvice } from "../../src/keystore/path_advice.ts";
import type { KeystoreContext } from "../../src/keystore/types.ts";
import type { InputSource, KeystoreUri } from "../../src/keystore/uri.ts";

/** Largest file that is read, in bytes. Keys and certificate bundles are smaller. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Reader of a file's bytes. */
type Read = (path: string) => Promise<Uint8Array<ArrayBuffer>>;

/** Reads a file or input like {@link readAll}. Also throws `key-format` if it is empty. */
export async function readKeyFile(
  uri: KeystoreUri,
  context: Pick<KeystoreContext, "readInput" | "debug">,
  read: Read = readFile,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readAll(uri, context, read);
  if (bytes.length === 0) {
    const advice = uri.input ? EMPTY_ADVICE[uri.input.kind] : "";
    throw new HelperError("key-format", `${uri.displayName} is empty${advice}`);
  }
  return bytes;
}

/** Advice for an empty input. CI services set a variable to nothing if a job may not have the secret. */
const EMPTY_ADVICE: Readonly<Record<InputSource["kind"], string>> = {
  variable: "; check that this job may read the secret",
  descriptor: "; check what writes to it",
};

async function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return await readSource(path, { maxBytes: MAX_FILE_BYTES });
}

/**
 * Reads a regular file, a named pipe, `/dev/stdin`, `/dev/fd/N` (a shell's `<(…)`) or an input to its
 * end.
 *
 * Throws `key-not-found` if it does not exist, and `key-unreadable` if it cannot be read. Throws
 * `key-format` if it is larger than {@link MAX_FILE_BYTES}. Messages use `displayName`.
 */
export async function readAll(
  { path, input, displayName }: KeystoreUri,
  context: Pick<KeystoreContext, "readInput" | "debug">,
  read: Read = readFile,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    if (!input) return await read(path);
    const bytes = await context.readInput(input);
    context.debug(`${displayName} has ${bytes.length} bytes`);
    return bytes;
  } catch (cause) {
    if (!(cause instanceof SourceError)) throw cause;
    switch (cause.fault) {
      case "missing": {
        if (input) {
          throw new HelperError("key-not-found", `${displayName} ${cause.message}`, { cause });
        }
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
