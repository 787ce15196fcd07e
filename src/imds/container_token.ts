/**
 * The secret that container clients send in `Authorization`.
 *
 * @module
 */
import { dirname } from "node:path";
import { encodeBase64 } from "@std/encoding/base64";
import { replaceFile } from "../credentials/atomic_file.ts";
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
  try {
    replaceFile(file, new TextEncoder().encode(text));
  } catch (cause) {
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
        Deno.removeSync(file);
      } catch {
        // removed by somebody else
      }
    },
  };
}
