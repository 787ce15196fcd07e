/**
 * Directory of cached sessions: mode 0700, owned by this user, not a link.
 *
 * @module
 */
import { join } from "../../path.ts";
import { HelperError, messageOf } from "../../errors.ts";
import { errnoOf } from "../../files/errno.ts";

const HOUR = 3_600_000;

/** Returns the file name of a session by its key. */
export const sessionFile = (key: string): string => `${key}.json`;

const SESSION = /^[0-9a-f]{64}\.json$/;
/** Lock files, and temporary files of killed writers. */
const TEMPORARY = /^\.[0-9a-f]{64}\.json\.aws_signing_helper\.(lock|[0-9a-f]{16}\.tmp)$/;

/** Age after which a cache file is stale; a session lasts at most 12 hours. */
const MAX_AGES: readonly [RegExp, number][] = [[SESSION, 13 * HOUR], [TEMPORARY, HOUR]];

/** Returns why the directory must not be used; undefined if it may, or does not exist. */
export function directoryFault(directory: string): string | undefined {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(directory);
  } catch (thrown) {
    return errnoOf(thrown) === "ENOENT" ? undefined : `cannot be used (${messageOf(thrown)})`;
  }
  if (info.isSymlink) return "is a symbolic link";
  if (!info.isDirectory) return "is not a directory";
  if (info.uid !== null && info.uid !== Deno.uid()) return "belongs to another user";
  if (info.mode !== null && Deno.build.os !== "windows" && (info.mode & 0o077) !== 0) {
    return `is open to others (mode ${(info.mode & 0o777).toString(8)}); run chmod 700`;
  }
  return undefined;
}

/** Removes stale sessions and other stale files of the cache. */
export function sweepDirectory(directory: string, now: Date): void {
  for (const { name } of Deno.readDirSync(directory)) {
    const maxAge = MAX_AGES.find(([pattern]) => pattern.test(name))?.[1];
    if (maxAge === undefined) continue;
    try {
      const { mtime } = Deno.lstatSync(join(directory, name));
      if (mtime && now.getTime() - mtime.getTime() > maxAge) {
        Deno.removeSync(join(directory, name));
      }
    } catch {
      // another process removed it first
    }
  }
}

/**
 * Removes every session from the directory and returns their number, 0 if the directory does not exist.
 * Other files and the directory itself stay.
 *
 * Throws `session-cache` if `directory` is not a directory or a file cannot be removed.
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
    for (const name of names.filter((name) => SESSION.test(name) || TEMPORARY.test(name))) {
      removeIfExists(join(directory, name));
    }
    return names.filter((name) => SESSION.test(name)).length;
  } catch (cause) {
    if (cause instanceof HelperError) throw cause;
    if (errnoOf(cause) === "ENOENT") return 0;
    throw new HelperError(
      "session-cache",
      `${directory} cannot be cleared (${messageOf(cause)}); check its owner`,
      { cause },
    );
  }
}

function removeIfExists(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
  }
}
