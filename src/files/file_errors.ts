/**
 * What the operating system's refusals mean for somebody who wants a file written.
 *
 * @module
 */
import { HelperError, messageOf } from "../errors.ts";

/** The system's name of an error (`ENOSPC`), undefined for what is not the system's. */
export function errnoOf(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** By the system's name; `file` is what is to be written, `directory` where it stands. */
const REASONS: Readonly<Record<string, (file: string, directory: string) => string>> = {
  ENOSPC: (_, directory) => `the disk of ${directory} is full; make room and try again`,
  EDQUOT: (_, directory) => `the disk quota for ${directory} is used up; make room and try again`,
  EROFS: (_, directory) => `${directory} is on a file system that cannot be written to`,
  EACCES: writeProtected,
  EPERM: writeProtected,
  EISDIR: (file) => `${file} is a directory; name a file`,
  ENOTDIR: noDirectory,
  EEXIST: noDirectory,
  ENOENT: (_, directory) => `${directory} does not exist; check the path`,
  EBUSY: (file) => `${file} is a mount point, which cannot be replaced; mount its directory`,
  ELOOP: (file) => `${file} is a symbolic link that leads back to itself; correct it`,
};

function noDirectory(_file: string, directory: string): string {
  return `a part of ${directory} is a file, not a directory; check the path`;
}

function writeProtected(_file: string, directory: string): string {
  return `this user may not write in ${directory}; change its owner or its permissions`;
}

/**
 * The error to throw for `cause` while writing `file` in `directory`: one sentence in front of
 * which stands what was to be done.
 */
export function fileProblem(cause: unknown, file: string, directory: string): HelperError {
  if (cause instanceof HelperError) return cause;
  const reason = REASONS[errnoOf(cause) ?? ""]?.(file, directory) ??
    withoutDescriptors(messageOf(cause), directory);
  return refusal(file, reason, cause);
}

/** Names the directory where the system's message has its descriptor. */
export function withoutDescriptors(message: string, directory: string): string {
  return message.replaceAll(/\/proc\/self\/fd\/\d+/g, () => directory);
}

/** The error of a credentials file that is left as it was. */
export function refusal(file: string, why: string, cause?: unknown): HelperError {
  return new HelperError("credentials-file", `${file} was not changed: ${why}`, { cause });
}
