/**
 * Secret that container clients send in `Authorization`.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { dirname } from "../path.ts";
import { replaceFile } from "../files/atomic_file.ts";
import { errnoOf } from "../files/errno.ts";
import { systemReason } from "../files/file_errors.ts";
import { FilePlace, UntrustedPathError } from "../files/file_place.ts";
import { HelperError } from "../errors.ts";

/** The token file's path is not a regular file, or has other contents. The message continues a sentence. */
class NotReplaceableError extends Error {
  override readonly name = "NotReplaceableError";
}

/** The token, and its file, which is removed on disposal. */
export interface ContainerToken extends Disposable {
  readonly text: string;
  readonly file?: string;
}

const TOKEN_BYTES = 48;
/** Length of a token's text. */
const TOKEN_LENGTH = TOKEN_BYTES / 3 * 4;
const TOKEN = new RegExp(`^[A-Za-z0-9+/]{${TOKEN_LENGTH}}$`);

/** File for a token. */
export interface TokenFile {
  readonly path: string;
  /** Names the path's flag or setting in messages. */
  readonly source: string;
  /** Number of the user that owns the file, where possible; absent: this user. */
  readonly owner?: number;
  /** Runs if the file cannot have that owner. */
  readonly onOtherOwner?: () => void;
}

/**
 * Creates a token. Writes it to `file`, mode 0600, for AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.
 *
 * Throws `listen`, with the path's source, if the file cannot be written.
 */
export function containerToken(
  file: TokenFile | undefined,
  randomBytes: (length: number) => Uint8Array,
): ContainerToken {
  const text = encodeBase64(randomBytes(TOKEN_BYTES));
  if (file === undefined) return { text, [Symbol.dispose]() {} };
  const { path, source } = file;
  let place: FilePlace | undefined;
  let written: Deno.FileInfo;
  try {
    // Kept until disposal, so that the file is removed from the directory it was created in.
    place = FilePlace.find(path, { followLast: false });
    checkReplaceable(place.path());
    writeToken(place.path(), new TextEncoder().encode(text), file);
    written = Deno.lstatSync(place.path());
  } catch (cause) {
    place?.[Symbol.dispose]();
    if (cause instanceof UntrustedPathError || cause instanceof NotReplaceableError) {
      throw new HelperError("listen", `${source} ${path}: ${cause.message}`, { cause });
    }
    const directory = dirname(path);
    const reason = systemReason(cause, path, directory) ??
      `check that ${directory} is a directory that this user may write to`;
    throw new HelperError("listen", `${source} ${path} cannot be written; ${reason}`, { cause });
  }
  return {
    text,
    file: path,
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

/** Writes the token with its owner, or with this user if the system does not allow that. */
function writeToken(path: string, bytes: Uint8Array, { owner, onOtherOwner }: TokenFile): void {
  const [uid, gid] = [Deno.uid(), Deno.gid()];
  if (owner === undefined || owner === uid || gid === null) return replaceFile(path, bytes);
  try {
    replaceFile(path, bytes, { uid: owner, gid, mode: 0o600 });
  } catch (thrown) {
    // EINVAL: a user namespace does not have this user.
    if (!["EPERM", "EINVAL"].includes(errnoOf(thrown) ?? "")) throw thrown;
    replaceFile(path, bytes);
    onOtherOwner?.();
  }
}

/**
 * Throws {@link NotReplaceableError} for anything but an empty file or one with a token. A rename would
 * replace devices too: root could destroy `/dev/null`, and `/dev/stdout` is a link. A wrong path could
 * name a key, which would also be removed at the end.
 */
function checkReplaceable(path: string): void {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return;
    throw thrown;
  }
  if (info.isFile) {
    if (mayHaveToken(path, info)) return;
    throw new NotReplaceableError("it has other contents than a token; name another file");
  }
  const kind = info.isSymlink
    ? "a symbolic link"
    : info.isDirectory
    ? "a directory"
    : "not a regular file";
  throw new NotReplaceableError(`it is ${kind}; name another file`);
}

/**
 * Returns true if the file is empty or has a token. If this user may not read it, its size decides.
 */
function mayHaveToken(path: string, { size }: Deno.FileInfo): boolean {
  if (size === 0) return true;
  if (size !== TOKEN_LENGTH) return false;
  try {
    return TOKEN.test(Deno.readTextFileSync(path));
  } catch {
    return true; // an earlier token that belongs to the user of a role
  }
}

/** Returns whether both are one file. Another server may have written its own token meanwhile. */
function isSameFile(a: Deno.FileInfo, b: Deno.FileInfo): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}
