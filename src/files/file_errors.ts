/**
 * Error messages for system errors while writing a file.
 *
 * @module
 */
import { HelperError, messageOf } from "../errors.ts";
import { errnoOf } from "./errno.ts";
import { SourceError } from "./source_error.ts";

/** Messages by the system's name; `file` is to be written in `directory`. */
const REASONS: Readonly<Record<string, (file: string, directory: string) => string>> = {
  ENOSPC: (_, directory) => `the disk of ${directory} is full; free some space and try again`,
  EDQUOT: (_, directory) =>
    `the disk quota for ${directory} is used up; free some space and try again`,
  EROFS: (_, directory) => `${directory} is on a read-only file system; choose another place`,
  EACCES: writeProtected,
  EPERM: writeProtected,
  EISDIR: (file) => `${file} is a directory; name a file`,
  ENOTDIR: notADirectory,
  EEXIST: notADirectory,
  ENOENT: (_, directory) => `${directory} does not exist; check the path`,
  EBUSY: (file) => `${file} is a mount point, which cannot be replaced; mount its directory`,
  ELOOP: (file) => `${file} is a symbolic link that leads back to itself; correct it`,
};

function notADirectory(_file: string, directory: string): string {
  return `a part of ${directory} is a file, not a directory; check the path`;
}

function writeProtected(_file: string, directory: string): string {
  return `this user may not write in ${directory}; change its owner or its permissions`;
}

/**
 * Returns the error to throw for `cause` while writing `file` in `directory`.
 */
export function fileError(cause: unknown, file: string, directory: string): HelperError {
  if (cause instanceof HelperError) return cause;
  if (cause instanceof SourceError) return notChangedError(file, `it ${cause.message}`, cause);
  const reason = systemReason(cause, file, directory) ??
    replaceDescriptors(messageOf(cause), directory);
  return notChangedError(file, reason, cause);
}

/** Returns the system's reason for `cause`, with advice; undefined for others. */
export function systemReason(cause: unknown, file: string, directory: string): string | undefined {
  return REASONS[errnoOf(cause) ?? ""]?.(file, directory);
}

/** Replaces a descriptor's path in the system's message with the directory. */
export function replaceDescriptors(message: string, directory: string): string {
  return message.replaceAll(/\/proc\/self\/fd\/\d+/g, () => directory);
}

/** Returns the error for a credentials file that is left unchanged. */
export function notChangedError(file: string, why: string, cause?: unknown): HelperError {
  return new HelperError("credentials-file", `${file} was not changed: ${why}`, { cause });
}
