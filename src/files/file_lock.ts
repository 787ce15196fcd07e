/**
 * A lock that processes of this program honour: flock(2) on a file of its own, which goes away with
 * the lock. The kernel lets go of it when its holder dies, so that none can be left behind.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { HelperError, messageOf } from "../errors.ts";
import { errnoOf } from "./file_errors.ts";
import { HeldEntry } from "./held_entry.ts";

/** Pause between two tries, milliseconds. */
const POLL = 20;

/** What waiting touches. */
export interface Waiting {
  /** Milliseconds from any origin, never going back. */
  monotonic(): number;
  sleep(milliseconds: number): Promise<void>;
  /** Ends the wait early, with its reason. */
  readonly signal?: AbortSignal;
}

/** The lock that belongs to the file at `path`, beside it. */
export function lockPathOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.aws_signing_helper.lock`);
}

/**
 * Locks the file at `path`, making it if need be, and waits for that no longer than `max`
 * milliseconds: undefined when somebody else holds the lock for all that time. Messages name it by
 * `label`.
 *
 * Throws the system's error when the file can be neither made nor opened, and `credentials-file`
 * when something else stands at `path` or the file system knows no locks.
 */
export async function lockFile(
  path: string,
  max: number,
  waiting: Waiting,
  label: string = path,
): Promise<Disposable | undefined> {
  const start = waiting.monotonic();
  const first = tryLock(path, label);
  if (first) return first;
  using _library = HeldEntry.keepReady();
  for (;;) {
    waiting.signal?.throwIfAborted();
    const lock = tryLock(path, label);
    if (lock) return lock;
    if (waiting.monotonic() - start >= max) return undefined;
    await waiting.sleep(POLL);
  }
}

/** One try: undefined when somebody else has the lock, or had it until now. */
function tryLock(path: string, label: string): Disposable | undefined {
  const file = openLockFile(path, label);
  if (!file) return undefined;
  try {
    if (file.tryLockSync(true) && standsAt(file, path)) return held(file, path);
  } catch (cause) {
    file.close();
    throw new HelperError(
      "credentials-file",
      `the file system of ${label} has no locks (${messageOf(cause)}); use a directory on another`,
      { cause },
    );
  }
  file.close();
  return undefined;
}

function held(file: Deno.FsFile, path: string): Disposable {
  return {
    [Symbol.dispose]() {
      try {
        // Before the lock is let go: whoever waits then finds that this file is no longer the one.
        // Windows lets nobody remove a file that is open; there it stays.
        if (Deno.build.os !== "windows") Deno.removeSync(path);
      } catch {
        // somebody removed it, or took the directory away: the next run makes another
      } finally {
        file.close();
      }
    },
  };
}

/** Makes or opens the lock file, never through a link; undefined if it went away meanwhile. */
function openLockFile(path: string, label: string): Deno.FsFile | undefined {
  const rights = { read: true, write: true };
  try {
    return Deno.openSync(path, { ...rights, createNew: true, mode: 0o600 });
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw thrown;
  }
  // Linux: what is checked is what is opened, even in a directory of another user.
  using held = HeldEntry.isSupported ? HeldEntry.open(path) : undefined;
  if (HeldEntry.isSupported && !held) return undefined;
  try {
    const info = held ? held.stat() : Deno.lstatSync(path);
    if (!info.isFile) {
      throw new HelperError(
        "credentials-file",
        `${label} is in the place of the lock and is not a file; remove it`,
      );
    }
    return Deno.openSync(held?.path ?? path, rights);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
}

/** Whether the open file is still the one that stands at `path`, and is no link's target. */
function standsAt(file: Deno.FsFile, path: string): boolean {
  if (Deno.build.os === "windows") return true; // where it is never removed
  const open = file.statSync();
  try {
    const existing = Deno.lstatSync(path);
    return existing.isFile && existing.ino === open.ino && existing.dev === open.dev;
  } catch {
    return false;
  }
}
