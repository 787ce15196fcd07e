/**
 * The credentials file on disk: one profile of it is written, under a lock, in one step.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { dirname } from "node:path";
import type { HelperError } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import { removeLeftovers, replaceFile } from "../../files/atomic_file.ts";
import { lockFile, lockPathOf, type Waiting } from "../../files/file_lock.ts";
import { FilePlace } from "../../files/file_place.ts";
import { errnoOf, fileProblem, refusal } from "../../files/file_errors.ts";
import { isAtPlace, openInPlace, overwrite, readOpen } from "./in_place_file.ts";
import { withCredentials } from "./profile_text.ts";
import { profileWarnings } from "./profile_warnings.ts";
import { changedSince, decode, inspect, MAX_SIZE, readExistingFile } from "./existing_file.ts";

/** How long another writer is waited for, milliseconds. */
export const LOCK_TIMEOUT = 10_000;

/** How often the file is read anew because somebody who knows no lock changed it meanwhile. */
const MAX_READS = 10;

/** What a file's text becomes, and what the user should be told, one sentence each. */
export interface Edited {
  readonly text: string;
  readonly notes: readonly string[];
}

/** Returns the new text for the existing one; `encoding` is how that was read. */
export type EditText = (text: string, encoding: "utf8" | "latin1") => Edited;

/** The metadata of an existing file that notes are made from. */
interface Existing {
  readonly mode: number | null;
  readonly nlink: number | null;
}

/** What is written where. */
export interface ProfileUpdate {
  /** The credentials file, which need not exist. */
  readonly path: string;
  readonly profile: string;
  readonly credentials: SessionCredentials;
  /** The account of the credentials, for warnings. */
  readonly account: string;
}

/**
 * Writes the credentials into the profile and gives what the user should be told, one sentence each.
 *
 * Throws `credentials-file`, and `service-answer` for credentials that cannot be written; the file
 * is then as it was.
 */
export async function writeProfile(
  update: ProfileUpdate,
  waiting: Waiting,
  lockTimeout: number = LOCK_TIMEOUT,
): Promise<string[]> {
  const { path, profile, credentials, account } = update;
  let existing: Existing | undefined;
  const notes = await editFile(
    path,
    (existing, encoding) => {
      // The profile's name in the form that the text has.
      const name = Buffer.from(profile).toString(encoding);
      const text = withCredentials(existing, name, credentials, path);
      const notes = profileWarnings({ text, profile: name, account, label: path });
      if (encoding !== "utf8") {
        notes.push(
          `${path} is not UTF-8 text, so that the AWS CLI and boto3 refuse it; convert it`,
        );
      }
      return { text, notes };
    },
    waiting,
    lockTimeout,
    (info) => existing = info,
  );
  return [...(existing ? modeNotes(existing, path) : []), ...notes];
}

/** Errors of a directory in which this user cannot make files. */
const UNWRITABLE: readonly (string | undefined)[] = ["EACCES", "EPERM", "EROFS"];

/**
 * Replaces a file's text in one step, under its lock, keeping links, owner and mode. A file that is a
 * mount point, or in a directory that is not writable, is written in place. Returns the notes of
 * `edit` and what else the user should know. `onExisting` gets the file's metadata, if it exists.
 *
 * Throws `credentials-file`, and what `edit` throws; the file is then as it was.
 */
export async function editFile(
  path: string,
  edit: EditText,
  waiting: Waiting,
  lockTimeout: number = LOCK_TIMEOUT,
  onExisting: (info: Existing) => void = () => {},
): Promise<string[]> {
  let directory = dirname(path);
  const work = { path, edit, waiting, lockTimeout, onExisting };
  try {
    using place = FilePlace.find(path, { makeDirectories: true });
    directory = place.directory;
    inspect(place, path);
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
    throw fileProblem(thrown, path, directory);
  }
}

/** One edit of a file. */
interface Work {
  readonly path: string;
  readonly edit: EditText;
  readonly waiting: Waiting;
  readonly lockTimeout: number;
  readonly onExisting: (info: Existing) => void;
}

/** Takes the lock next to the file; undefined if it cannot be made there and the file exists. */
async function lockNextTo(
  place: FilePlace,
  { path, waiting, lockTimeout }: Work,
): Promise<Disposable | undefined> {
  const lockPath = lockPathOf(place.path());
  let lock: Disposable | undefined;
  try {
    lock = await lockFile(lockPath, lockTimeout, waiting, lockPathOf(path));
  } catch (thrown) {
    const exists = changedSince(place, undefined);
    if (exists && UNWRITABLE.includes(errnoOf(thrown))) return undefined;
    throw thrown;
  }
  if (!lock) throw lockedTooLong(path, lockTimeout);
  return lock;
}

function lockedTooLong(path: string, lockTimeout: number): HelperError {
  return refusal(
    path,
    `another program has held its lock for ${lockTimeout / 1000} s; ` +
      "end that program or try again",
  );
}

function rewrite(place: FilePlace, { path, edit, onExisting }: Work): string[] {
  for (let reads = 0; reads < MAX_READS; reads++) {
    const existing = readExistingFile(place, path);
    const { text = "", encoding = "utf8", info } = existing ?? {};
    const edited = edit(text, encoding);
    if (changedSince(place, info)) continue;
    replaceFile(place.path(), Buffer.from(edited.text, encoding), info);
    if (info) onExisting(info);
    return [...(info ? linkNotes(info, path) : []), ...edited.notes];
  }
  throw refusal(path, "another program keeps writing to it; end that program or try again");
}

/** Pause between two tries to lock the file itself, milliseconds. */
const POLL = 20;

/** Writes the file in place, under a lock of the file itself; `why` ends the warning. */
async function rewriteInPlace(place: FilePlace, work: Work, why: string): Promise<string[]> {
  const { path, edit, waiting, lockTimeout, onExisting } = work;
  const start = waiting.monotonic();
  for (let reads = 0; reads < MAX_READS; reads++) {
    using file = openInPlace(place, path);
    while (!file.tryLockSync(true)) {
      waiting.signal?.throwIfAborted();
      if (waiting.monotonic() - start >= lockTimeout) throw lockedTooLong(path, lockTimeout);
      await waiting.sleep(POLL);
    }
    const info = file.statSync();
    if (info.size > MAX_SIZE) {
      throw refusal(path, `it is larger than ${MAX_SIZE >> 20} MiB; name a credentials file`);
    }
    const old = Buffer.from(readOpen(file, info.size).buffer, 0, info.size);
    const { text, encoding } = decode(old, path);
    const edited = edit(text, encoding);
    if (!isAtPlace(file, place) || file.statSync().size !== info.size) continue;
    overwrite(file, Buffer.from(edited.text, encoding), old);
    // A program that can replace the file may have done so meanwhile.
    if (!isAtPlace(file, place)) continue;
    onExisting(info);
    return [
      `${path} is written in place, as ${why}: a reader may see it half written`,
      ...edited.notes,
    ];
  }
  throw refusal(path, "another program keeps replacing it; end that program or try again");
}

function modeNotes({ mode }: Existing, path: string): string[] {
  if (Deno.build.os === "windows" || mode === null || (mode & 0o077) === 0) return [];
  const access = (mode & 0o044) === 0 ? "used" : "read";
  return [
    `${path} can be ${access} by others (mode ${
      (mode & 0o777).toString(8)
    }); run chmod 600 ${path}`,
  ];
}

function linkNotes({ nlink }: Existing, path: string): string[] {
  if (Deno.build.os === "windows" || nlink === null || nlink < 2) return [];
  return [`${path} has another name (hard link), which keeps the old text; use a symbolic link`];
}
