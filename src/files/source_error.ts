/**
 * Errors and limits of reading an input file.
 *
 * @module
 */
import { errnoOf } from "./errno.ts";

/** Limits of reading, milliseconds. */
export const SOURCE_LIMITS = {
  /** Time for a program to open a FIFO for writing, and for a file to have data or an end. */
  writer: 800,
  /** Time for a file system to open a file, and to read it. */
  file: 20_000,
  /** Time for a pipe to be read to its end. */
  pipe: 60_000,
  /** First and maximum interval between two reads of a pipe. */
  pollInterval: { first: 1, max: 20 },
} as const;

/** Reasons of {@link SourceError}. */
export type SourceFault =
  | "missing"
  | "link"
  | "refused"
  | "denied"
  | "directory"
  | "device"
  | "pipe"
  | "no-writer"
  | "slow"
  | "large"
  | "failed";

/** The file cannot be read. The message continues a sentence that begins with its name. */
export class SourceError extends Error {
  override readonly name = "SourceError";

  constructor(readonly fault: SourceFault, message: string, options?: { cause?: unknown }) {
    super(message, options);
  }
}

/** Kinds of input; only a named FIFO can get its writer later. */
export type Kind = "file" | "pipe" | "named-fifo";

/** Returns the error for an input that took too long. */
export function timeoutError(kind: Kind): SourceError {
  return kind === "file"
    ? new SourceError(
      "slow",
      `was not read within ${SOURCE_LIMITS.file / 1000} s; check its file system`,
    )
    : new SourceError(
      "slow",
      `did not end within ${SOURCE_LIMITS.pipe / 1000} s; check what writes to it`,
    );
}

/** Returns true for the error of a call that would have to wait. */
export function isNotReady(thrown: unknown): boolean {
  return errnoOf(thrown) === "EAGAIN" || thrown instanceof Deno.errors.WouldBlock;
}

/** Returns the error for a system error. */
export function toSourceError(cause: unknown): SourceError {
  if (cause instanceof SourceError) return cause;
  switch (errnoOf(cause)) {
    case "ENOENT":
    case "ENOTDIR":
      return new SourceError("missing", "does not exist; check the path", { cause });
    case "EACCES":
    case "EPERM":
      return new SourceError(
        "denied",
        "may not be read by this user; change its owner or its permissions",
        { cause },
      );
    case "EISDIR":
      return new SourceError("directory", "is a directory; name a file in it", { cause });
    case "ENXIO":
      return new SourceError("device", "is a socket or a device; name a file", { cause });
    default:
      return new SourceError("failed", `cannot be read (${errnoOf(cause) ?? "unknown error"})`, {
        cause,
      });
  }
}
