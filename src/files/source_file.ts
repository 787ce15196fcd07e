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
import { closeSync, constants, fstatSync, openSync, read, type Stats } from "node:fs";
import { errnoOf } from "./errno.ts";
import { holdThreadCalls, type OpenFile, openInThread, UnknownReadError } from "./thread_file.ts";
import { withOperationTimeout } from "../timeout.ts";

/** Limits of reading, milliseconds. */
const SOURCE_LIMITS = {
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

/** The system has no file for standard input. */
class NoFileError extends Error {}

/** Options of a read. */
export interface SourceOptions {
  /** Maximum size, bytes. */
  readonly maxBytes: number;
  /** False refuses pipes, whose contents can be read only once; default true. */
  readonly pipes?: boolean;
}

/** Options of {@link readOwnSource}. */
interface OwnSourceOptions extends SourceOptions {
  /** Returns why the open file must not be read, as the rest of a sentence. */
  readonly faultOf?: (info: Deno.FileInfo) => string | undefined;
}

/** Calls that have not returned from a file system that does not respond, by path. */
const hanging = new Map<string, Promise<void>>();

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

/** File that is closed when no call uses it any more. */
class OpenSource {
  /** Size of a regular file before it was opened; 0 if it is unknown. */
  size = 0;
  #file: OpenFile | undefined;
  #hasRead = false;
  #isAbandoned = false;
  #inUse = 0;

  constructor(readonly path: string, readonly options: OwnSourceOptions) {}

  /** Opens the file. Returns its kind; throws for one that is not read. */
  async open(): Promise<Kind> {
    // Each call that hangs keeps a thread: do not add one for each attempt.
    await hanging.get(this.path);
    if (this.options.faultOf) return await this.#openOwn(this.options.faultOf);
    const examined = this.#using(Deno.stat(this.path));
    using _calls = holdThreadCalls();
    const info = await examined;
    // Opening and closing a pipe would break its writer.
    if (info.isFifo && this.options.pipes === false) throw notRegularError();
    while (!this.#isAbandoned) {
      if (info.isFile) await this.#openInThread();
      // The timeout is over. Opening it here could block the process.
      if (this.#isAbandoned) break;
      if (this.#file) {
        this.size = info.size;
        return "file";
      }
      try {
        const { file, kind } = openWithoutWaiting(this.path, this.options);
        this.#file = file;
        return kind;
      } catch (thrown) {
        // Another program has a lease of the file, for example a file server.
        if (!isNotReady(thrown)) throw thrown;
        await pause(SOURCE_LIMITS.pollInterval.max);
      }
    }
    throw timeoutError("file");
  }

  /** Opens the file itself, if it is one without a fault. */
  async #openOwn(faultOf: NonNullable<OwnSourceOptions["faultOf"]>): Promise<Kind> {
    const examined = this.#using(Deno.lstat(this.path));
    using _calls = holdThreadCalls();
    const { isSymlink, isFile } = await examined;
    if (isSymlink) throw new SourceError("link", "is a symbolic link");
    if (!isFile) throw notRegularError();
    await this.#openInThread(false);
    if (this.#isAbandoned) throw timeoutError("file");
    if (!this.#file?.path) {
      // Throws if it was removed meanwhile.
      await this.#using(Deno.lstat(this.path));
      throw new SourceError("failed", "cannot be opened; check its mode and its file system");
    }
    const info = Deno.statSync(this.#file.path);
    const fault = faultOf(info);
    if (fault) throw new SourceError("refused", fault);
    this.size = info.size;
    return "file";
  }

  /** Opens the file in a thread. It is kept before the call ends, so that one that ends late is closed. */
  async #openInThread(followLinks?: boolean): Promise<void> {
    await this.#using(
      openInThread(this.path, followLinks).then((file) => {
        this.#file = file;
      }),
    );
  }

  /** Waits for the file system to respond; with `reads`, reads a byte of a regular file. */
  async probe(reads: boolean): Promise<void> {
    await hanging.get(this.path);
    if (this.#isAbandoned) return;
    try {
      await this.#using(Deno.stat(this.path));
      if (!reads || !(await this.#using(Deno.lstat(this.path))).isFile) return;
      await this.open();
      const byte = new Uint8Array(1);
      await this.read(byte);
      byte.fill(0);
    } catch {
      // the file system has responded
    }
  }

  async read(into: Uint8Array<ArrayBuffer>): Promise<number> {
    const file = this.#opened();
    try {
      const count = await this.#using(file.read(into));
      this.#hasRead = true;
      return count;
    } catch (thrown) {
      if (!(thrown instanceof UnknownReadError) || this.#hasRead) throw thrown;
      if (this.#isAbandoned) throw timeoutError("file");
      if (this.options.faultOf) {
        throw new SourceError("failed", "cannot be read; check its file system", { cause: thrown });
      }
      // The file system has responded; the runtime's own functions report its error.
      await this.#close();
      this.#file = openWithoutWaiting(this.path, this.options).file;
      return await this.#using(this.#file.read(into));
    }
  }

  /** Closes the file. A call that has not returned is not waited for; the file is closed after it. */
  async end(): Promise<void> {
    this.#isAbandoned = true;
    if (this.#inUse > 0) return;
    try {
      await limitTime(this.#close(), "file");
    } catch {
      // the contents have been read
    }
  }

  #opened(): OpenFile {
    if (!this.#file) throw new Error("the file is not open");
    return this.#file;
  }

  async #using<T>(call: Promise<T>): Promise<T> {
    this.#inUse++;
    const ended = call.then(() => {}, () => {});
    hanging.set(this.path, ended);
    try {
      return await call;
    } finally {
      this.#inUse--;
      if (hanging.get(this.path) === ended) hanging.delete(this.path);
      if (this.#isAbandoned && this.#inUse === 0) void this.#close().catch(() => {});
    }
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file) await this.#using(file.close());
  }
}

/** Opens a file that its metadata do not describe as regular. Only node:fs has the flags. */
function openWithoutWaiting(
  path: string,
  options: SourceOptions,
): { readonly file: OpenFile; readonly kind: Kind } {
  // Windows has neither flag. O_NOCTTY: a terminal does not become the process's own.
  const { O_RDONLY, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;
  const descriptor = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    const kind = checkKind(fstatSync(descriptor), path, options);
    const file: OpenFile = {
      read: (into) =>
        new Promise((resolve, reject) => {
          read(
            descriptor,
            into,
            0,
            into.length,
            null,
            (error, count) => error ? reject(error) : resolve(count),
          );
        }),
      close: () => Promise.resolve(closeSync(descriptor)),
    };
    return { file, kind };
  } catch (thrown) {
    closeSync(descriptor);
    throw thrown;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
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

/** Opened input. `read` returns undefined if no data is ready. */
interface Input {
  readonly kind: Kind;
  readonly read: (into: Uint8Array<ArrayBuffer>) => Promise<number | undefined>;
}

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

/** Reads to the end: a read that returns less than was asked for, after which there are `size` bytes. */
async function readToEnd(
  read: Input["read"],
  kind: Kind,
  maxBytes: number,
  size = 0,
): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = new SourceBuffer(maxBytes);
  try {
    for (;;) {
      const count = await read(buffer.rest());
      const delay = buffer.accept(count, kind);
      const isWhole = size > 0 && buffer.length === size && buffer.free > 0;
      if (delay === "end" || isWhole) return buffer.contents();
      if (delay > 0) await pause(delay);
    }
  } finally {
    buffer.wipe();
  }
}

/** Waits for `work` no longer than the limit of `kind`. */
async function limitTime<T>(work: Promise<T>, kind: Kind): Promise<T> {
  const limit = kind === "file" ? SOURCE_LIMITS.file : SOURCE_LIMITS.pipe;
  return await withOperationTimeout(work, limit, () => {
    throw timeoutError(kind);
  });
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

function notRegularError(): SourceError {
  return new SourceError("pipe", "is not a regular file; name another");
}

function isNullDevice(info: Stats): boolean {
  if (Deno.build.os === "windows") return true; // NUL has no device number
  return info.isCharacterDevice() && info.rdev === Deno.statSync("/dev/null").rdev;
}

/** Collector of the bytes read, which decides when to read again. */
class SourceBuffer {
  #bytes = new Uint8Array(16 * 1024);
  #length = 0;
  #hadWriter = false;
  #pause: number = SOURCE_LIMITS.pollInterval.first;
  readonly #started = performance.now();

  constructor(private readonly maxBytes: number) {}

  /** Number of bytes that were read. */
  get length(): number {
    return this.#length;
  }

  get free(): number {
    return this.#bytes.length - this.#length;
  }

  /** Returns the free part of the buffer. */
  rest(): Uint8Array<ArrayBuffer> {
    if (this.free === 0) this.#grow();
    return this.#bytes.subarray(this.#length);
  }

  /**
   * Takes the result of a read: the number of bytes, or undefined if there are none yet. Returns
   * "end", or how long to wait before the next read.
   */
  accept(count: number | undefined, kind: Kind): number | "end" {
    const elapsed = performance.now() - this.#started;
    if (kind !== "file" && elapsed > SOURCE_LIMITS.pipe) throw timeoutError(kind);
    if (count) {
      this.#length += count;
      this.#hadWriter = true;
      if (this.#length > this.maxBytes) {
        throw new SourceError("large", `is larger than ${sizeOf(this.maxBytes)}; check the path`);
      }
      this.#pause = SOURCE_LIMITS.pollInterval.first;
      return 0;
    }
    if (count === undefined) {
      if (kind === "file" && elapsed > SOURCE_LIMITS.writer) {
        throw new SourceError("device", "has neither data nor an end; name a file");
      }
      this.#hadWriter = true;
    } else if (kind !== "named-fifo" || this.#hadWriter) return "end";
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

function timeoutError(kind: Kind): SourceError {
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

/** Returns the result of `call`; undefined if no data is ready. */
async function ifReady(call: () => Promise<number>): Promise<number | undefined> {
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
