/**
 * Path of a Unix socket: free for this server, and accessible to its user only.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { dirname } from "../../path.ts";
import { HelperError, messageOf } from "../../errors.ts";
import { awaitFileSystem } from "../../files/source_file.ts";

/** Size of {@link BoundSocket}'s suffix, bytes. */
const SUFFIX_BYTES = 3;

/** Size of `sun_path` in `sockaddr_un` on macOS, the smallest of all systems, without the suffix; bytes. */
const MAX_PATH_BYTES = 104 - SUFFIX_BYTES;

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
    await awaitFileSystem(path, {});
  } catch (thrown) {
    throw refuse(`it ${messageOf(thrown)}`);
  }
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
  if (!await isStale(path)) {
    throw refuse("another program listens there; end it or choose another path");
  }
  try {
    await Deno.remove(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw refuse(messageOf(thrown));
  }
}

/**
 * Returns true if no program listens on the socket. A server that is alive can cause other errors
 * than a refused connection. Examples are EACCES (server of another user) and EAGAIN (full
 * backlog).
 */
async function isStale(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return false;
  } catch (thrown) {
    return thrown instanceof Deno.errors.ConnectionRefused ||
      thrown instanceof Deno.errors.NotFound;
  }
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

/** Identity of a file, which another file at its path does not have. */
type FileIdentity = Pick<Deno.FileInfo, "dev" | "ino">;

/**
 * Socket file of a server. The runtime removes the path that it bound when the listener closes. Another server
 * may have put its own file there. So it binds a name of its own, and {@link publish} links the path.
 */
export class SocketFile {
  /** Path to bind. */
  readonly bound: string;
  #created: FileIdentity | undefined;

  /** @param path of the socket for its clients */
  constructor(private readonly path: string) {
    this.bound = Deno.build.os === "windows" ? path : unusedNameOf(path);
  }

  /** Moves the bound socket to its path. Throws the system's error, `AlreadyExists` if a file is there. */
  publish(): void {
    this.#created = identityOf(this.bound);
    if (this.bound === this.path) return;
    try {
      Deno.linkSync(this.bound, this.path);
      Deno.removeSync(this.bound);
    } catch (thrown) {
      if (thrown instanceof Deno.errors.AlreadyExists || identityOf(this.path)) throw thrown;
      Deno.renameSync(this.bound, this.path); // a file system without links
    }
  }

  /** Removes the files, unless another server has put its own there. */
  remove(): void {
    // A start that failed leaves the name that was bound.
    if (this.bound !== this.path) removeQuietly(this.bound);
    const now = identityOf(this.path);
    if (!now || now.dev !== this.#created?.dev || now.ino !== this.#created?.ino) return;
    removeQuietly(this.path);
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // already removed
  }
}

/** Returns the path with a suffix that no file has. */
function unusedNameOf(path: string): string {
  for (let tries = 0; tries < 100; tries++) {
    const random = crypto.getRandomValues(new Uint8Array(1));
    const name = `${path}.${encodeHex(random)}`;
    if (!identityOf(name)) return name;
  }
  return path;
}

function identityOf(path: string): FileIdentity | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}
