/**
 * The secret that container clients send in `Authorization`.
 *
 * @module
 */
import { dirname } from "node:path";
import { encodeBase64 } from "@std/encoding/base64";
import { replaceFile } from "../credentials/atomic_file.ts";
import { FilePlace, UntrustedPathError } from "../credentials/file_place.ts";
import { HelperError } from "../errors.ts";

/** The token, and the file it was written to, which goes away at the end. */
export interface ContainerToken extends Disposable {
  readonly text: string;
  readonly file?: string;
}

const TOKEN_BYTES = 48;

/**
 * Makes a token; with `file` it is written there, mode 0600, for AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.
 *
 * Throws `listen` naming the flag when the file cannot be written.
 */
export function containerToken(
  file: string | undefined,
  randomBytes: (length: number) => Uint8Array,
): ContainerToken {
  const text = encodeBase64(randomBytes(TOKEN_BYTES));
  if (file === undefined) return { text, [Symbol.dispose]() {} };
  let place: FilePlace | undefined;
  try {
    // Kept until the end: the file is then removed from the directory that it was made in.
    place = FilePlace.find(file, { followLast: false });
    replaceFile(place.path(), new TextEncoder().encode(text));
  } catch (cause) {
    place?.[Symbol.dispose]();
    if (cause instanceof UntrustedPathError) {
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
        Deno.removeSync(place.path());
      } catch {
        // removed by somebody else
      } finally {
        place[Symbol.dispose]();
      }
    },
  };
}
