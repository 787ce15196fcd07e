/**
 * The credentials file as it stands, before it is written anew.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { dirname, isAbsolute, join } from "node:path";
import { codeOf, refusal } from "./file_problem.ts";

/** A credentials file as it stands: its text, and what tells it from a later one. */
export interface Standing {
  readonly text: string;
  /** Of the text; latin1 keeps the bytes of a file that is not UTF-8. */
  readonly encoding: "utf8" | "latin1";
  readonly info: Deno.FileInfo;
}

/** The file that `path` names: a symbolic link is followed and stays, even one to nothing. */
export function targetOf(path: string): string {
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

/** What stands there; undefined when nothing does. Refuses what must not be replaced. */
export function inspect(target: string, path: string): Deno.FileInfo | undefined {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(target);
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
  if (info.isDirectory) throw refusal(path, "it is a directory; name a file in it");
  if (!info.isFile) throw refusal(path, "it is no regular file; name another");
  if (info.mode !== null && (info.mode & 0o200) === 0) {
    throw refusal(
      path,
      "it is read-only; allow its owner to write to it (chmod u+w), or name another",
    );
  }
  if (info.uid !== null && Deno.uid() !== 0 && Deno.uid() !== info.uid) {
    throw refusal(
      path,
      "it belongs to another user; run this as its owner, or name another file",
    );
  }
  return info;
}

/** Reads the file; undefined when there is none. Refuses what cannot be edited. */
export function readStanding(target: string, path: string): Standing | undefined {
  const info = inspect(target, path);
  if (!info) return undefined;
  const bytes = Buffer.from(Deno.readFileSync(target));
  if (/^(\xff\xfe|\xfe\xff)/.test(bytes.toString("latin1", 0, 2))) {
    throw refusal(path, "it is UTF-16 text, which AWS SDKs do not read; save it as UTF-8");
  }
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes)
    ? { text, encoding: "utf8", info }
    : { text: bytes.toString("latin1"), encoding: "latin1", info };
}

/** Whether another file stands there than the one that was read. */
export function changedSince(target: string, read: Deno.FileInfo | undefined): boolean {
  try {
    const { ino, size, mtime } = Deno.statSync(target);
    return !read || ino !== read.ino || size !== read.size ||
      mtime?.getTime() !== read.mtime?.getTime();
  } catch {
    return read !== undefined;
  }
}
