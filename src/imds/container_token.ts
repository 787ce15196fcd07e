/**
 * Secret that container clients send in `Authorization`.
 *
 * @module
 */
import { dirname } from "node:path";
import { encodeBase64 } from "@std/encoding/base64";
import { replaceFile } from "../files/atomic_file.ts";
import { FilePlace, UntrustedPathError } from "../files/file_place.ts";
import { HelperError } from "../errors.ts";

/** The token file's path is not a regular file. The message continues a sentence. */
class NotReplaceableError extends Error {
  override readonly name = "NotReplaceableError";
}

/** The token, and its file, which is removed on disposal. */
export interface ContainerToken extends Disposable {
  readonly text: string;
  readonly file?: string;
}

const TOKEN_BYTES = 48;

/**
 * Creates a token. Writes it to `file`, mode 0600, for AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.
 *
 * Throws `listen`, with the flag's name, if the file cannot be written.
 */
export function containerToken(
  file: string | undefined,
  randomBytes: (length: number) => Uint8Array,
): ContainerToken {
  const text = encodeBase64(randomBytes(TOKEN_BYTES));
  if (file === undefined) return { text, [Symbol.dispose]() {} };
  let place: FilePlace | undefined;
  let written: Deno.FileInfo;
  try {
    // Kept until disposal, so that the file is removed from the directory it was created in.
    place = FilePlace.find(file, { followLast: false });
    checkReplaceable(place.path());
    replaceFile(place.path(), new TextEncoder().encode(text));
    written = Deno.lstatSync(place.path());
  } catch (cause) {
    place?.[Symbol.dispose]();
    if (cause instanceof UntrustedPathError || cause instanceof NotReplaceableError) {
      throw new HelperError("listen", `--container-token-file ${file}: ${cause.message}`, {
        cause,
      });
    }
    throw new HelperError(
      "listen",
      `--container-token-file ${file} cannot be written; check that ${dirname(file)} is a ` +
        "directory that this user may write to",
      { cause },
    );
  }
  return {
    text,
    file,
    [Symbol.dispose]() {
      try {
        if (isSameFile(Deno.lstatSync(place.path()), written)) Deno.removeSync(place.path());
      } catch {
        // already removed
      } finally {
        place[Symbol.dispose]();
      }
    },
  };
}

/**
 * Throws {@link NotReplaceableError} for anything but a regular file. A rename would replace
 * devices too: root could destroy `/dev/null`, and `/dev/stdout` is a link.
 */
function checkReplaceable(path: string): void {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return;
    throw thrown;
  }
  if (info.isFile) return;
  const kind = info.isSymlink
    ? "a symbolic link"
    : info.isDirectory
    ? "a directory"
    : "not a regular file";
  throw new NotReplaceableError(`it is ${kind}; name another file`);
}

/** Returns whether both are one file. Another server may have written its own token meanwhile. */
function isSameFile(a: Deno.FileInfo, b: Deno.FileInfo): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}
