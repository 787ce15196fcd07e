/**
 * Path of a Unix socket: free for this server, and accessible to its user only.
 *
 * @module
 */
import { dirname } from "../../path.ts";
import { HelperError, messageOf } from "../../errors.ts";

/** Size of `sun_path` in `sockaddr_un` on macOS, the smallest of all systems, bytes. */
const MAX_PATH_BYTES = 104;

/**
 * Removes a stale socket at the path. Throws `listen`, and removes nothing, if anything else is there or
 * the socket is in use.
 */
export async function clearSocketPath(path: string): Promise<void> {
  const refuse = (why: string) => new HelperError("listen", `--bind ${path}: ${why}`);
  if (new TextEncoder().encode(path).length >= MAX_PATH_BYTES) {
    // The text is not shown: it could be a key, because base64 contains slashes.
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
  if (!info.isSocket) throw refuse("the file there is not a socket; choose another path");
  const isInUse = await Deno.connect({ transport: "unix", path }).then((connection) => {
    connection.close();
    return true;
  }, () => false);
  if (isInUse) throw refuse("another program listens there; end it or choose another path");
  await Deno.remove(path);
}

/** Bits that the socket's mode does not have: access for its own user, or for all. */
const MASKS = { own: 0o177, all: 0o111 } as const;

/** Runs `listen` so that its socket is created with access for these users. */
export function withSocketMode<T>(users: keyof typeof MASKS, listen: () => T): T {
  if (Deno.build.os === "windows") return listen();
  const before = Deno.umask(MASKS[users]);
  try {
    return listen();
  } finally {
    Deno.umask(before);
  }
}

/** Removes the socket of a stopped server, if the runtime has not done so. */
export function removeSocket(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // already removed
  }
}
