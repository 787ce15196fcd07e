/**
 * The credentials file on disk: one profile of it is written, under a lock, in one step.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Stats } from "node:fs";
import { dirname } from "node:path";
import type { SessionCredentials } from "../rolesanywhere/create_session.ts";
import { removeLeftovers, replaceFile } from "./atomic_file.ts";
import { lockFile, lockPathOf, type Waiting } from "./file_lock.ts";
import { FilePlace } from "./file_place.ts";
import { fileProblem, refusal } from "./file_problem.ts";
import { withCredentials } from "./profile_text.ts";
import { profileWarnings } from "./profile_warnings.ts";
import { changedSince, inspect, readStanding } from "./standing_file.ts";

/** How long another writer is waited for, milliseconds. */
export const LONGEST_LOCK_WAIT = 10_000;

/** How often the file is read anew because somebody who knows no lock changed it meanwhile. */
const MOST_READS = 10;

/** What a file's text becomes, and what the user should be told, one sentence each. */
export interface Edited {
  readonly text: string;
  readonly notes: readonly string[];
}

/** Gives the new text for the one that stands; `encoding` is how that was read. */
export type EditText = (text: string, encoding: "utf8" | "latin1") => Edited;

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
  longestWait: number = LONGEST_LOCK_WAIT,
): Promise<string[]> {
  const { path, profile, credentials, account } = update;
  return await editFile(
    path,
    (standing, encoding) => {
      // The profile's name in the form that the text has.
      const name = Buffer.from(profile).toString(encoding);
      const text = withCredentials(standing, name, credentials, path);
      const notes = profileWarnings({ text, profile: name, account, label: path });
      if (encoding !== "utf8") {
        notes.push(
          `${path} is not UTF-8 text, so that the AWS CLI and boto3 refuse it; convert it`,
        );
      }
      return { text, notes };
    },
    waiting,
    longestWait,
  );
}

/**
 * Replaces a file's text in one step, under its lock, keeping links and owner; its mode becomes 600.
 * Gives the notes of `edit` and what else the user should be told.
 *
 * Throws `credentials-file`, and what `edit` throws; the file is then as it was.
 */
export async function editFile(
  path: string,
  edit: EditText,
  waiting: Waiting,
  longestWait: number = LONGEST_LOCK_WAIT,
): Promise<string[]> {
  let directory = dirname(path);
  try {
    using place = FilePlace.find(path, { makeDirectories: true });
    directory = place.directory;
    inspect(place, path);
    const lockPath = lockPathOf(place.path());
    using lock = await lockFile(lockPath, longestWait, waiting, lockPathOf(path));
    if (!lock) {
      throw refusal(
        path,
        `another program has held its lock for ${longestWait / 1000} s; ` +
          "end that program or try again",
      );
    }
    removeLeftovers(place.path());
    return rewrite(place, path, edit);
  } catch (thrown) {
    throw fileProblem(thrown, path, directory);
  }
}

function rewrite(place: FilePlace, path: string, edit: EditText): string[] {
  for (let reads = 0; reads < MOST_READS; reads++) {
    const standing = readStanding(place, path);
    const { text = "", encoding = "utf8", info } = standing ?? {};
    const edited = edit(text, encoding);
    if (changedSince(place, info)) continue;
    replaceFile(place.path(), Buffer.from(edited.text, encoding), info);
    return [...(info ? modeNotes(info, path) : []), ...edited.notes];
  }
  throw refusal(path, "another program keeps writing to it; end that program or try again");
}

function modeNotes({ mode }: Stats, path: string): string[] {
  if (Deno.build.os === "windows" || (mode & 0o077) === 0) return [];
  return [
    `${path} could be read by others (mode ${(mode & 0o777).toString(8)}); its mode is now 600`,
  ];
}
