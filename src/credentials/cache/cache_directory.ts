/**
 * The directory of cached sessions: 0700, this user's, no link.
 *
 * @module
 */
import { join } from "node:path";
import { HelperError, messageOf } from "../../errors.ts";
import { errnoOf } from "../../files/file_errors.ts";

const HOUR = 3_600_000;

/** The name of a session's file by its key. */
export const sessionFile = (key: string): string => `${key}.json`;

const SESSION = /^[0-9a-f]{64}\.json$/;
/** Locks, and what writers that were killed left. */
const PASSING = /^\.[0-9a-f]{64}\.json\.aws_signing_helper\.(lock|[0-9a-f]{16}\.tmp)$/;

/** Age at which nobody can use a file of the kind any more; no session lasts over 12 hours. */
const LIFETIMES: readonly [RegExp, number][] = [[SESSION, 13 * HOUR], [PASSING, HOUR]];

/** Why the directory must not be used; undefined when it may, or when there is none yet. */
export function directoryFault(directory: string): string | undefined {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(directory);
  } catch (thrown) {
    return errnoOf(thrown) === "ENOENT" ? undefined : `cannot be used (${messageOf(thrown)})`;
  }
  if (info.isSymlink) return "is a symbolic link";
  if (!info.isDirectory) return "is no directory";
  if (info.uid !== null && info.uid !== Deno.uid()) return "belongs to another user";
  if (info.mode !== null && Deno.build.os !== "windows" && (info.mode & 0o077) !== 0) {
    return `is open to others (mode ${(info.mode & 0o777).toString(8)}; chmod 700 closes it)`;
  }
  return undefined;
}

/** Removes sessions and other files of the cache that are too old to be of use to anybody. */
export function sweepDirectory(directory: string, now: Date): void {
  for (const { name } of Deno.readDirSync(directory)) {
    const lifetime = LIFETIMES.find(([pattern]) => pattern.test(name))?.[1];
    if (lifetime === undefined) continue;
    try {
      const { mtime } = Deno.lstatSync(join(directory, name));
      if (mtime && now.getTime() - mtime.getTime() > lifetime) {
        Deno.removeSync(join(directory, name));
      }
    } catch {
      // another run was quicker
    }
  }
}

/**
 * Removes every session from the directory and gives their number. A directory that does not exist
 * has none; other files, and the directory, stay.
 *
 * Throws `session-cache` when `directory` is something else, and when something cannot be removed.
 */
export function clearDirectory(directory: string): number {
  try {
    const info = Deno.lstatSync(directory);
    if (!info.isDirectory) {
      throw new HelperError(
        "session-cache",
        `${directory} is ${
          info.isSymlink ? "a symbolic link, which is not followed" : "a file"
        }; ` +
          "name the directory of the cache itself with --cache-dir",
      );
    }
    const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
    for (const name of names.filter((name) => SESSION.test(name) || PASSING.test(name))) {
      removeIfThere(join(directory, name));
    }
    return names.filter((name) => SESSION.test(name)).length;
  } catch (cause) {
    if (cause instanceof HelperError) throw cause;
    if (errnoOf(cause) === "ENOENT") return 0;
    throw new HelperError(
      "session-cache",
      `${directory} cannot be cleared (${messageOf(cause)}); check whose it is`,
      { cause },
    );
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
  }
}
