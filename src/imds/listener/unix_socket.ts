/**
 * The path of a Unix socket: free for this server, and for its user alone.
 *
 * @module
 */
import { dirname } from "node:path";
import { HelperError, messageOf } from "../../errors.ts";

/** No longer path fits into `sockaddr_un`, bytes. */
const MAX_PATH_BYTES = 104;

/**
 * Makes the path free to listen on: a socket that nobody listens on any more is removed. What else
 * stands there, or is in use, is left alone: `listen`.
 */
export async function clearSocketPath(path: string): Promise<void> {
  const refuse = (why: string) => new HelperError("listen", `--bind ${path}: ${why}`);
  if (new TextEncoder().encode(path).length >= MAX_PATH_BYTES) {
    // The text is not shown: it could be a key, which has a slash, too.
    throw new HelperError(
      "listen",
      `--bind: the path of a socket must be shorter than ${MAX_PATH_BYTES} bytes`,
    );
  }
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw refuse(messageOf(thrown));
    const directory = dirname(path);
    const isThere = await Deno.stat(directory).then((found) => found.isDirectory, () => false);
    if (!isThere) {
      throw refuse(`the directory ${directory} does not exist; make it or correct the path`);
    }
    return;
  }
  if (!info.isSocket) throw refuse("a file that is no socket stands there; choose another path");
  const answered = await Deno.connect({ transport: "unix", path }).then((connection) => {
    connection.close();
    return true;
  }, () => false);
  if (answered) throw refuse("another program listens there; end it or choose another path");
  await Deno.remove(path);
}

/** Runs `listen` so that the socket it makes is this user's alone from its first moment. */
export function withPrivateMode<T>(listen: () => T): T {
  if (Deno.build.os === "windows") return listen();
  const before = Deno.umask(0o177);
  try {
    return listen();
  } finally {
    Deno.umask(before);
  }
}

/** Removes the socket of a server that has ended; the runtime may have done so. */
export function removeSocket(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // it is gone
  }
}
