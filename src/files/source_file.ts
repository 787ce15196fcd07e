/**
 * Input files: keys, certificates, passwords, settings.
 *
 * Opening never waits (O_NONBLOCK), and everything is decided on the descriptor. A regular file is
 * read; a pipe is read to its end while a program writes to it; devices and directories are refused.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fstat,
  fstatSync,
  open,
  openSync,
  read,
  readSync,
  type Stats,
} from "node:fs";
import { withTimeout } from "../timeout.ts";

/** Limits of reading, milliseconds. */
export const SOURCE_LIMITS = {
  /** Time for a program to open a FIFO for writing. */
  writer: 800,
  /** Time for a pipe, or a file of a slow file system, to be read to its end. */
  total: 60_000,
  /** First and maximum interval between two reads of a pipe. */
  pollInterval: { first: 1, max: 20 },
} as const;

/** Reasons of {@link SourceError}. */
export type SourceFault =
  | "missing"
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

/** The system has no file for standard input. */
class NoFileError extends Error {}

/** Options of a read. */
export interface SourceOptions {
  /** Maximum size, bytes. */
  readonly maxBytes: number;
  /** False refuses pipes, whose contents can be read only once; default true. */
  readonly pipes?: boolean;
}

/** Reads all of `path` without blocking the process. Throws {@link SourceError}. */
export async function readSource(
  path: string,
  options: SourceOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const source = new OpenSource(path, options);
  try {
    refuseUnopened(path, options);
    return await withTimeout(readAll(source), SOURCE_LIMITS.total, () => {
      throw timeoutError();
    });
  } catch (thrown) {
    throw toSourceError(thrown);
  } finally {
    source.abandon();
  }
}

/**
 * Reads all of `path` and blocks the process, for files that are read once at startup. Throws
 * {@link SourceError}.
 */
export function readSourceSync(path: string, options: SourceOptions): Uint8Array<ArrayBuffer> {
  let descriptor: number | undefined;
  const buffer = new SourceBuffer(options.maxBytes);
  try {
    refuseUnopened(path, options);
    descriptor = openSync(path, FLAGS);
    const pipe = checkKind(fstatSync(descriptor), path, options);
    for (;;) {
      const count = readIfReady(() =>
        readSync(descriptor ?? -1, buffer.rest(), 0, buffer.free, null)
      );
      const pause = buffer.accept(count, pipe);
      if (pause === "end") return buffer.contents();
      if (pause > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
    }
  } catch (thrown) {
    throw toSourceError(thrown);
  } finally {
    buffer.wipe();
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Windows has neither flag. O_NOCTTY: a terminal does not become the process's own. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** Open file; its descriptor is closed when no call uses it any more. */
class OpenSource {
  #descriptor: number | undefined;
  #isAbandoned = false;
  #inUse = 0;

  constructor(readonly path: string, readonly options: SourceOptions) {}

  async open(): Promise<void> {
    const opened = await this.#using<number>((done) => open(this.path, FLAGS, done));
    this.#descriptor = opened;
    if (this.#isAbandoned) this.#close();
  }

  async stat(): Promise<Stats> {
    return await this.#using((done) => fstat(this.#descriptor ?? -1, done));
  }

  async read(into: Uint8Array): Promise<number> {
    return await this.#using((done) =>
      read(this.#descriptor ?? -1, into, 0, into.length, null, done)
    );
  }

  /** Closes the file, after a running call has ended. */
  abandon(): void {
    this.#isAbandoned = true;
    if (this.#inUse === 0) this.#close();
  }

  async #using<T>(
    call: (done: (error: Error | null, value: T) => void) => void,
  ): Promise<T> {
    this.#inUse++;
    try {
      return await new Promise<T>((resolve, reject) => {
        call((error, value) => error ? reject(error) : resolve(value));
      });
    } finally {
      this.#inUse--;
      if (this.#isAbandoned && this.#inUse === 0) this.#close();
    }
  }

  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Standard input. Windows does not have this file, and a socket cannot be opened by it. */
const STANDARD_INPUT = "/dev/stdin";

async function readAll(source: OpenSource): Promise<Uint8Array<ArrayBuffer>> {
  const { path, options } = source;
  let read: (into: Uint8Array) => Promise<number | undefined>;
  let kind: Kind = "pipe";
  try {
    if (Deno.build.os === "windows" && path === STANDARD_INPUT) throw new NoFileError();
    await source.open();
    kind = checkKind(await source.stat(), path, options);
    read = (into) => readIfReadyAsync(() => source.read(into));
  } catch (thrown) {
    const isInput = path === STANDARD_INPUT && options.pipes !== false;
    if (!isInput || !(thrown instanceof NoFileError || errnoOf(thrown) === "ENXIO")) throw thrown;
    read = async (into) => await Deno.stdin.read(into) ?? 0;
  }
  const buffer = new SourceBuffer(options.maxBytes);
  try {
    for (;;) {
      const count = await read(buffer.rest());
      const pause = buffer.accept(count, kind);
      if (pause === "end") return buffer.contents();
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    }
  } finally {
    buffer.wipe();
  }
}

/** Kinds of input; only a named FIFO can get its writer later. */
type Kind = "file" | "pipe" | "named-fifo";

function checkKind(info: Stats, path: string, { pipes }: SourceOptions): Kind {
  if (info.isFile()) return "file";
  if (info.isDirectory()) throw new SourceError("directory", "is a directory; name a file in it");
  if (info.isFIFO() || info.isSocket()) {
    if (pipes === false) throw notRegularError();
    return /^\/(dev\/(stdin|fd\/)|proc\/)/.test(path) ? "pipe" : "named-fifo";
  }
  if (isNullDevice(info)) return "file";
  throw new SourceError("device", "is a device; name a file");
}

/** Refuses a pipe without opening it: opening and closing would break its writer. */
function refuseUnopened(path: string, { pipes }: SourceOptions): void {
  if (pipes === false && Deno.statSync(path).isFifo) throw notRegularError();
}

function notRegularError(): SourceError {
  return new SourceError("pipe", "is not a regular file; name another");
}

function isNullDevice(info: Stats): boolean {
  if (Deno.build.os === "windows") return true; // NUL has no device number
  return info.isCharacterDevice() && info.rdev === Deno.statSync("/dev/null").rdev;
}

/** Collects the bytes read, and decides when to read again. */
class SourceBuffer {
  #bytes = new Uint8Array(16 * 1024);
  #length = 0;
  #hadWriter = false;
  #pause: number = SOURCE_LIMITS.pollInterval.first;
  readonly #started = performance.now();

  constructor(private readonly maxBytes: number) {}

  get free(): number {
    return this.#bytes.length - this.#length;
  }

  /** Returns the free part of the buffer. */
  rest(): Uint8Array {
    if (this.free === 0) this.#grow();
    return this.#bytes.subarray(this.#length);
  }

  /**
   * Takes the result of a read: the number of bytes, or undefined if there are none yet. Returns
   * "end", or how long to wait before the next read.
   */
  accept(count: number | undefined, kind: Kind): number | "end" {
    const elapsed = performance.now() - this.#started;
    if (elapsed > SOURCE_LIMITS.total) throw timeoutError();
    if (count) {
      this.#length += count;
      this.#hadWriter = true;
      if (this.#length > this.maxBytes) {
        throw new SourceError("large", `is larger than ${sizeOf(this.maxBytes)}; check the path`);
      }
      this.#pause = SOURCE_LIMITS.pollInterval.first;
      return 0;
    }
    if (count === undefined) this.#hadWriter = true;
    else if (kind !== "named-fifo" || this.#hadWriter) return "end";
    else if (elapsed > SOURCE_LIMITS.writer) {
      throw new SourceError("no-writer", "is a FIFO that no program writes to; start its writer");
    }
    const pause = this.#pause;
    this.#pause = Math.min(2 * pause, SOURCE_LIMITS.pollInterval.max);
    return pause;
  }

  contents(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  wipe(): void {
    this.#bytes.fill(0);
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#bytes.length);
    larger.set(this.#bytes);
    this.#bytes.fill(0);
    this.#bytes = larger;
  }
}

function sizeOf(bytes: number): string {
  return bytes < 1 << 20 ? `${bytes >> 10} KiB` : `${bytes >> 20} MiB`;
}

function timeoutError(): SourceError {
  const seconds = SOURCE_LIMITS.total / 1000;
  return new SourceError("slow", `did not end within ${seconds} s; check what writes to it`);
}

/** Returns the result of `call`; undefined if no data is ready. */
function readIfReady(call: () => number): number | undefined {
  try {
    return call();
  } catch (thrown) {
    if (isNotReady(thrown)) return undefined;
    throw thrown;
  }
}

async function readIfReadyAsync(call: () => Promise<number>): Promise<number | undefined> {
  try {
    return await call();
  } catch (thrown) {
    if (isNotReady(thrown)) return undefined;
    throw thrown;
  }
}

function isNotReady(thrown: unknown): boolean {
  return errnoOf(thrown) === "EAGAIN" || thrown instanceof Deno.errors.WouldBlock;
}

function errnoOf(thrown: unknown): unknown {
  return thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
}

function toSourceError(cause: unknown): SourceError {
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
