/**
 * Input files: keys, certificates, passwords, settings.
 *
 * Everything is decided on the descriptor. A regular file is read. A pipe is read to its end while
 * a program writes to it. Devices and directories are refused. Opening a pipe never waits
 * (O_NONBLOCK). A file system can block every call, for example NFS without its server. So calls
 * for regular files run in threads, and a timeout covers them.
 *
 * @module
 */
import { withOperationTimeout } from "../timeout.ts";
import { errnoOf } from "./errno.ts";
import { limitTime, OpenSource, type OwnSourceOptions, type SourceOptions } from "./open_source.ts";
import { type Input, readToEnd } from "./source_buffer.ts";
import { isNotReady, SOURCE_LIMITS, timeoutError, toSourceError } from "./source_error.ts";

/** The system has no file for standard input. */
class NoFileError extends Error {}

/** Reads all of `path` without blocking the process. Throws {@link SourceError}. */
export async function readSource(
  path: string,
  options: OwnSourceOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const source = new OpenSource(path, options);
  try {
    const { kind, read } = await limitTime(openInput(source), "file");
    return await limitTime(readToEnd(read, kind, options.maxBytes, source.size), kind);
  } catch (thrown) {
    throw toSourceError(thrown);
  } finally {
    await source.end();
  }
}

/**
 * Reads all of a regular file like {@link readSource}, but not through a link. `faultOf` must
 * return undefined for the open file. Throws {@link SourceError} `link`, and `refused` with the
 * fault. Linux only.
 */
export function readOwnSource(
  path: string,
  options: OwnSourceOptions & Required<Pick<OwnSourceOptions, "faultOf">>,
): Promise<Uint8Array<ArrayBuffer>> {
  return readSource(path, { ...options, pipes: false });
}

/**
 * Waits until the file system of `path` responds, for callers whose own calls would block the process.
 * The file need not exist. With `reads`, also waits for its first byte; no other user may be able to
 * replace the file then.
 * Throws {@link SourceError} `slow`, and the reason of `signal`.
 */
export async function awaitFileSystem(
  path: string,
  { signal, reads = false }: {
    readonly signal?: AbortSignal | undefined;
    readonly reads?: boolean;
  },
): Promise<void> {
  const source = new OpenSource(path, { maxBytes: 0, pipes: false });
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  try {
    signal?.throwIfAborted();
    await Promise.race([limitTime(source.probe(reads), "file"), aborted.promise]);
  } finally {
    signal?.removeEventListener("abort", abort);
    await source.end();
  }
}

/**
 * Reads an open pipe or file to its end. `read` returns the number of bytes, and 0 or null at the end.
 * Throws {@link SourceError}.
 */
export async function readStream(
  read: (into: Uint8Array<ArrayBuffer>) => Promise<number | null>,
  { maxBytes }: Pick<SourceOptions, "maxBytes">,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const next: Input["read"] = (into) => ifReady(async () => await read(into) ?? 0);
    return await withOperationTimeout(readToEnd(next, "pipe", maxBytes), SOURCE_LIMITS.pipe, () => {
      throw timeoutError("pipe");
    });
  } catch (thrown) {
    throw toSourceError(thrown);
  }
}

/** Standard input. Windows does not have this file, and a socket cannot be opened by it. */
const STANDARD_INPUT = "/dev/stdin";

async function openInput(source: OpenSource): Promise<Input> {
  const { path, options } = source;
  try {
    if (Deno.build.os === "windows" && path === STANDARD_INPUT) throw new NoFileError();
    const kind = await source.open();
    return { kind, read: (into) => ifReady(() => source.read(into)) };
  } catch (thrown) {
    const isInput = path === STANDARD_INPUT && options.pipes !== false;
    if (!isInput || !(thrown instanceof NoFileError || errnoOf(thrown) === "ENXIO")) throw thrown;
    return { kind: "pipe", read: async (into) => await Deno.stdin.read(into) ?? 0 };
  }
}

/** Returns the result of `call`; undefined if no data is ready. */
async function ifReady(call: () => Promise<number>): Promise<number | undefined> {
  try {
    return await call();
  } catch (thrown) {
    if (isNotReady(thrown)) return undefined;
    throw thrown;
  }
}
