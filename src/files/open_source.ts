/**
 * Opening and closing of an input file. Everything is decided on the descriptor.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, read, type Stats } from "node:fs";
import { withOperationTimeout } from "../timeout.ts";
import { pause } from "./source_buffer.ts";
import { isNotReady, type Kind, SOURCE_LIMITS, SourceError, timeoutError } from "./source_error.ts";
import { holdThreadCalls, type OpenFile, openInThread, UnknownReadError } from "./thread_file.ts";

/** Options of a read. */
export interface SourceOptions {
  /** Maximum size, bytes. */
  readonly maxBytes: number;
  /** False refuses pipes, whose contents can be read only once; default true. */
  readonly pipes?: boolean;
}

/** Options of {@link readOwnSource}. */
export interface OwnSourceOptions extends SourceOptions {
  /** Returns why the open file must not be read, as the rest of a sentence. */
  readonly faultOf?: (info: Deno.FileInfo) => string | undefined;
}

/** Calls that have not returned from a file system that does not respond, by path. */
const hanging = new Map<string, Promise<void>>();

/** File that is closed when no call uses it any more. */
export class OpenSource {
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

/** Waits for `work` no longer than the limit of `kind`. */
export async function limitTime<T>(work: Promise<T>, kind: Kind): Promise<T> {
  const limit = kind === "file" ? SOURCE_LIMITS.file : SOURCE_LIMITS.pipe;
  return await withOperationTimeout(work, limit, () => {
    throw timeoutError(kind);
  });
}

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
