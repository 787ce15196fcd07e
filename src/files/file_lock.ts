/**
 * Lock between processes of this program: flock(2) on a lock file, which is removed on release. The
 * kernel releases the lock when its holder dies, so that locks are never stale.
 *
 * @module
 */
import { basename, dirname, join } from "../path.ts";
import { HelperError, messageOf } from "../errors.ts";
import { errnoOf } from "./errno.ts";
import { HeldEntry } from "./held_entry.ts";

/** Interval between two attempts to lock a file, milliseconds. */
export const LOCK_INTERVAL = 20;

/** Injected clock and timer for waiting. */
export interface WaitDeps {
  /** Milliseconds from any origin, never going back. */
  monotonic(): number;
  sleep(milliseconds: number): Promise<void>;
  /** Ends the wait early, by throwing its reason. */
  readonly signal?: AbortSignal;
}

/** Returns the path of the lock file next to `path`. */
export function lockPathOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.aws_signing_helper.lock`);
}

/**
 * Locks the lock file at `path`, which is created if it does not exist. Returns undefined if another
 * process holds the lock for `timeout` milliseconds. Messages contain `label` instead of the path.
 *
 * Throws the system's error if the file cannot be created or opened. Throws `credentials-file` if
 * `path` is not a regular file or the file system does not support locks.
 */
export async function lockFile(
  path: string,
  timeout: number,
  deps: WaitDeps,
  label: string = path,
): Promise<Disposable | undefined> {
  const start = deps.monotonic();
  const first = tryLock(path, label);
  if (first) return first;
  using _library = HeldEntry.keepReady();
  for (;;) {
    deps.signal?.throwIfAborted();
    const lock = tryLock(path, label);
    if (lock) return lock;
    if (deps.monotonic() - start >= timeout) return undefined;
    await deps.sleep(LOCK_INTERVAL);
  }
}

/** Tries once; returns undefined if another process has the lock, or had it until now. */
function tryLock(path: string, label: string): Disposable | undefined {
  const file = openLockFile(path, label);
  if (!file) return undefined;
  try {
    if (file.tryLockSync(true) && isAtPath(file, path)) return lockHandle(file, path);
  } catch (cause) {
    file.close();
    throw new HelperError(
      "credentials-file",
      `${label}: the file system does not support locks (${messageOf(cause)}); use another one`,
      { cause },
    );
  }
  file.close();
  return undefined;
}

function lockHandle(file: Deno.FsFile, path: string): Disposable {
  return {
    [Symbol.dispose]() {
      try {
        // Remove before unlocking, so that waiting processes see a new file.
        // Windows cannot remove an open file; there it stays.
        if (Deno.build.os !== "windows") Deno.removeSync(path);
      } catch {
        // already removed, perhaps with its directory; the next run creates another
      } finally {
        file.close();
      }
    },
  };
}

/** Creates or opens the lock file, never through a link; undefined if it was removed meanwhile. */
function openLockFile(path: string, label: string): Deno.FsFile | undefined {
  const rights = { read: true, write: true };
  try {
    return Deno.openSync(path, { ...rights, createNew: true, mode: 0o600 });
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw thrown;
  }
  // Linux: the checked file is the opened file, even in a directory of another user.
  using held = HeldEntry.isSupported ? HeldEntry.open(path) : undefined;
  if (HeldEntry.isSupported && !held) return undefined;
  try {
    const info = held ? held.stat() : Deno.lstatSync(path);
    if (!info.isFile) {
      throw new HelperError(
        "credentials-file",
        `${label}: the lock path is not a regular file; remove it`,
      );
    }
    return Deno.openSync(held?.path ?? path, rights);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
}

/** Returns whether the open file is still the one at `path`, and not the target of a link. */
function isAtPath(file: Deno.FsFile, path: string): boolean {
  if (Deno.build.os === "windows") return true; // the lock file is never removed
  const open = file.statSync();
  try {
    const existing = Deno.lstatSync(path);
    return existing.isFile && existing.ino === open.ino && existing.dev === open.dev;
  } catch {
    return false;
  }
}
