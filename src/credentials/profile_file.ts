/**
 * The credentials file on disk: one profile of it is written, under a lock, in one step.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { dirname, isAbsolute, join } from "node:path";
import { HelperError } from "../errors.ts";
import type { SessionCredentials } from "../rolesanywhere/create_session.ts";
import { removeLeftovers, replaceFile } from "./atomic_file.ts";
import { lockFile, lockPathOf, type Waiting } from "./file_lock.ts";
import { codeOf, fileProblem } from "./file_problem.ts";
import { withCredentials } from "./profile_text.ts";
import { profileWarnings } from "./profile_warnings.ts";

/** How long another writer is waited for, milliseconds. */
export const LONGEST_LOCK_WAIT = 10_000;

/** How often the file is read anew because somebody who knows no lock changed it meanwhile. */
const MOST_READS = 10;

/** What is written where. */
export interface ProfileUpdate {
  /** The credentials file, which need not exist. */
  readonly path: string;
  readonly profile: string;
  readonly credentials: SessionCredentials;
  /** The account of the credentials, for warnings. */
  readonly account: string;
}

/** A credentials file as it stands: its text, and what tells it from a later one. */
interface Standing {
  readonly text: string;
  /** Of the text; latin1 keeps the bytes of a file that is not UTF-8. */
  readonly encoding: "utf8" | "latin1";
  readonly info: Deno.FileInfo;
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
  const { path } = update;
  let directory = dirname(path);
  try {
    const target = targetOf(path);
    directory = dirname(target);
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    using lock = await lockFile(lockPathOf(target), longestWait, waiting);
    if (!lock) {
      throw new HelperError(
        "credentials-file",
        `${path} was not changed: another program has held its lock for ` +
          `${longestWait / 1000} s; end that program or try again`,
      );
    }
    removeLeftovers(target);
    return rewrite(target, update);
  } catch (thrown) {
    throw fileProblem(thrown, path, directory);
  }
}

function rewrite(target: string, update: ProfileUpdate): string[] {
  const { path, profile, credentials, account } = update;
  for (let reads = 0; reads < MOST_READS; reads++) {
    const standing = readStanding(target, path);
    const { text = "", encoding = "utf8", info } = standing ?? {};
    // The profile's name in the form that the text has.
    const name = Buffer.from(profile).toString(encoding);
    const written = withCredentials(text, name, credentials, path);
    const notes = profileWarnings({ text: written, profile: name, account, label: path });
    if (encoding !== "utf8") {
      notes.push(`${path} is not UTF-8 text, so that the AWS CLI and boto3 refuse it; convert it`);
    }
    if (changedSince(target, info)) continue;
    replaceFile(target, Buffer.from(written, encoding), ownerOf(info));
    return [...(info ? modeNotes(info, path) : []), ...notes];
  }
  throw new HelperError(
    "credentials-file",
    `${path} was not changed: another program keeps writing to it; end that program or try again`,
  );
}

/** The file that `path` names: a symbolic link is followed and stays, even one to nothing. */
function targetOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (thrown) {
    if (codeOf(thrown) !== "ENOENT") throw thrown;
  }
  let link: string;
  try {
    link = Deno.readLinkSync(path);
  } catch {
    return path; // there is nothing yet
  }
  return targetOf(isAbsolute(link) ? link : join(Deno.realPathSync(dirname(path)), link));
}

/** Reads the file; undefined when there is none. Refuses what must not or cannot be edited. */
function readStanding(target: string, path: string): Standing | undefined {
  const refuse = (why: string) =>
    new HelperError("credentials-file", `${path} was not changed: ${why}`);
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(target);
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
  if (info.isDirectory) throw refuse("it is a directory; name a file in it");
  if (!info.isFile) throw refuse("it is no regular file; name another");
  if (info.mode !== null && (info.mode & 0o200) === 0) {
    throw refuse("it is read-only; allow its owner to write to it (chmod u+w), or name another");
  }
  if (info.uid !== null && Deno.uid() !== 0 && Deno.uid() !== info.uid) {
    throw refuse("it belongs to another user; run this as its owner, or name another file");
  }
  const bytes = Buffer.from(Deno.readFileSync(target));
  if (/^(\xff\xfe|\xfe\xff)/.test(bytes.toString("latin1", 0, 2))) {
    throw refuse("it is UTF-16 text, which AWS SDKs do not read; save it as UTF-8");
  }
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes)
    ? { text, encoding: "utf8", info }
    : { text: bytes.toString("latin1"), encoding: "latin1", info };
}

/** Whether another file stands there than the one that was read. */
function changedSince(target: string, read: Deno.FileInfo | undefined): boolean {
  try {
    const { ino, size, mtime } = Deno.statSync(target);
    return !read || ino !== read.ino || size !== read.size ||
      mtime?.getTime() !== read.mtime?.getTime();
  } catch {
    return read !== undefined;
  }
}

function ownerOf(info: Deno.FileInfo | undefined) {
  return info && info.uid !== null && info.gid !== null
    ? { uid: info.uid, gid: info.gid }
    : undefined;
}

function modeNotes({ mode }: Deno.FileInfo, path: string): string[] {
  if (mode === null || Deno.build.os === "windows" || (mode & 0o077) === 0) return [];
  return [
    `${path} could be read by others (mode ${(mode & 0o777).toString(8)}); its mode is now 600`,
  ];
}
