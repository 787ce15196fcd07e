/**
 * Credentials file on disk: writes one profile of it, under a lock, atomically.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { dirname } from "../../path.ts";
import type { HelperError } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import { removeLeftovers, replaceFile } from "../../files/atomic_file.ts";
import { LOCK_INTERVAL, lockFile, lockPathOf, type WaitDeps } from "../../files/file_lock.ts";
import { awaitFileSystem } from "../../files/source_file.ts";
import { FilePlace } from "../../files/file_place.ts";
import { errnoOf } from "../../files/errno.ts";
import { fileError, notChangedError } from "../../files/file_errors.ts";
import { isAtPlace, openInPlace, overwrite, readOpenFile } from "./in_place_file.ts";
import { setCredentials } from "./profile_text.ts";
import { profileWarnings } from "./profile_warnings.ts";
import { checkExisting, decode, hasChanged, MAX_SIZE, readExistingFile } from "./existing_file.ts";

/** Timeout for the lock of another writer, milliseconds. */
const LOCK_TIMEOUT = 10_000;

/** Maximum number of reads, if a program that does not use the lock keeps changing the file. */
const MAX_READS = 10;

/** New text of a file, and warnings for the user, one sentence each. */
export interface EditResult {
  readonly text: string;
  readonly warnings: readonly string[];
}

/** Function that returns the new text for the existing one; `encoding` is the encoding of that. */
export type EditText = (text: string, encoding: "utf8" | "latin1") => EditResult;

/** Metadata of an existing file, for warnings. */
interface FileMetadata {
  readonly mode: number | null;
  readonly nlink: number | null;
}

/** Credentials to write, and their profile. */
export interface ProfileUpdate {
  /** The credentials file, which need not exist. */
  readonly path: string;
  readonly profile: string;
  readonly credentials: SessionCredentials;
  /** Account of the credentials, for warnings. */
  readonly account: string;
}

/**
 * Writes the credentials into the profile. Returns warnings for the user, one sentence each.
 *
 * Throws `credentials-file`, and `service-answer` for credentials that cannot be written; the file
 * is then unchanged.
 */
export async function writeProfile(
  update: ProfileUpdate,
  deps: WaitDeps,
  lockTimeout: number = LOCK_TIMEOUT,
): Promise<string[]> {
  const { path, profile, credentials, account } = update;
  let existing: FileMetadata | undefined;
  const warnings = await editFile(
    path,
    (existing, encoding) => {
      // The profile's name in the encoding of the text.
      const name = Buffer.from(profile).toString(encoding);
      const text = setCredentials(existing, name, credentials, path);
      const warnings = profileWarnings({ text, profile: name, account, label: path });
      if (encoding !== "utf8") {
        warnings.push(
          `${path} is not UTF-8 text, which the AWS CLI and boto3 refuse; convert it`,
        );
      }
      return { text, warnings };
    },
    deps,
    lockTimeout,
    (info) => existing = info,
  );
  return [...(existing ? modeWarnings(existing, path) : []), ...warnings];
}

/** Errors of a directory in which this user cannot make files. */
const UNWRITABLE: readonly (string | undefined)[] = ["EACCES", "EPERM", "EROFS"];

/**
 * Replaces a file's text atomically, under its lock, and keeps links, owner and mode. A mount point, or a
 * file in a directory that is not writable, is written in place. Returns the warnings of `edit` and
 * further ones. `onExisting` gets the file's metadata, if it exists.
 *
 * Throws `credentials-file`, and the errors of `edit`; the file is then unchanged.
 */
export async function editFile(
  path: string,
  edit: EditText,
  deps: WaitDeps,
  lockTimeout: number = LOCK_TIMEOUT,
  onExisting: (info: FileMetadata) => void = () => {},
): Promise<string[]> {
  let directory = dirname(path);
  const work = { path, edit, deps, lockTimeout, onExisting };
  try {
    const { signal } = deps;
    await awaitFileSystem(path, { signal });
    using place = FilePlace.find(path, { makeDirectories: true });
    directory = place.directory;
    checkExisting(place, path);
    await awaitFileSystem(place.path(), { signal, reads: !place.isForeign });
    using lock = await lockNextTo(place, work);
    if (!lock) {
      return await rewriteInPlace(place, work, "its directory is not writable");
    }
    removeLeftovers(place.path());
    try {
      return rewrite(place, work);
    } catch (thrown) {
      if (errnoOf(thrown) !== "EBUSY") throw thrown;
      return await rewriteInPlace(place, work, "it is a mount point");
    }
  } catch (thrown) {
    throw fileError(thrown, path, directory);
  }
}

/** One edit of a file. */
interface EditTask {
  readonly path: string;
  readonly edit: EditText;
  readonly deps: WaitDeps;
  readonly lockTimeout: number;
  readonly onExisting: (info: FileMetadata) => void;
}

/** Locks the lock file next to the file; undefined if it cannot be created but the file exists. */
async function lockNextTo(
  place: FilePlace,
  { path, deps, lockTimeout }: EditTask,
): Promise<Disposable | undefined> {
  const lockPath = lockPathOf(place.path());
  let lock: Disposable | undefined;
  try {
    lock = await lockFile(lockPath, lockTimeout, deps, lockPathOf(path));
  } catch (thrown) {
    const exists = hasChanged(place, undefined);
    if (exists && UNWRITABLE.includes(errnoOf(thrown))) return undefined;
    throw thrown;
  }
  if (!lock) throw lockTimeoutError(path, lockTimeout);
  return lock;
}

function lockTimeoutError(path: string, lockTimeout: number): HelperError {
  return notChangedError(
    path,
    `another program has held its lock for ${lockTimeout / 1000} s; ` +
      "end that program or try again",
  );
}

function rewrite(place: FilePlace, { path, edit, onExisting }: EditTask): string[] {
  for (let reads = 0; reads < MAX_READS; reads++) {
    const existing = readExistingFile(place, path);
    const { text = "", encoding = "utf8", info } = existing ?? {};
    const edited = edit(text, encoding);
    if (hasChanged(place, info)) continue;
    replaceFile(place.path(), Buffer.from(edited.text, encoding), info);
    if (info) onExisting(info);
    return [...(info ? linkWarnings(info, path) : []), ...edited.warnings];
  }
  throw notChangedError(path, "another program keeps writing to it; end that program or try again");
}

/** Writes the file in place, under a lock of the file itself; `why` ends the warning. */
async function rewriteInPlace(place: FilePlace, work: EditTask, why: string): Promise<string[]> {
  const { path, edit, deps, lockTimeout, onExisting } = work;
  const start = deps.monotonic();
  for (let reads = 0; reads < MAX_READS; reads++) {
    using file = openInPlace(place, path);
    while (!file.tryLockSync(true)) {
      deps.signal?.throwIfAborted();
      if (deps.monotonic() - start >= lockTimeout) throw lockTimeoutError(path, lockTimeout);
      await deps.sleep(LOCK_INTERVAL);
    }
    const info = file.statSync();
    if (info.size > MAX_SIZE) {
      throw notChangedError(
        path,
        `it is larger than ${MAX_SIZE >> 20} MiB; name a credentials file`,
      );
    }
    const old = Buffer.from(readOpenFile(file, info.size).buffer, 0, info.size);
    const { text, encoding } = decode(old, path);
    const edited = edit(text, encoding);
    if (!isAtPlace(file, place) || file.statSync().size !== info.size) continue;
    overwrite(file, Buffer.from(edited.text, encoding), old);
    // Another program may have replaced the file meanwhile.
    if (!isAtPlace(file, place)) continue;
    onExisting(info);
    return [
      `${path} is written in place, because ${why}: a reader may see it half written`,
      ...edited.warnings,
    ];
  }
  throw notChangedError(path, "another program keeps replacing it; end that program or try again");
}

function modeWarnings({ mode }: FileMetadata, path: string): string[] {
  if (Deno.build.os === "windows" || mode === null || (mode & 0o077) === 0) return [];
  const access = (mode & 0o044) === 0 ? "used" : "read";
  return [
    `${path} can be ${access} by others (mode ${
      (mode & 0o777).toString(8)
    }); run chmod 600 ${path}`,
  ];
}

function linkWarnings({ nlink }: FileMetadata, path: string): string[] {
  if (Deno.build.os === "windows" || nlink === null || nlink < 2) return [];
  return [`${path} has another name (hard link), which keeps the old text; use a symbolic link`];
}
