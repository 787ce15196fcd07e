/**
 * Descriptors that the program inherited from its parent.
 *
 * The descriptor itself is read, from its position, and not the file at `/dev/fd/N`. A parent may
 * open a file that this user may not open, or pass a socket.
 *
 * @module
 */
import { readStream } from "../files/source_file.ts";
import { SourceError } from "../files/source_error.ts";
import type { SourceOptions } from "../files/open_source.ts";
import { POSIX_SYSTEMS, type PosixSystem } from "./system_table.ts";

const SYMBOLS = {
  // int poll(struct pollfd *descriptors, nfds_t count, int timeout)
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32", nonblocking: true },
  // ssize_t read(int descriptor, void *buffer, size_t length)
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  // int close(int descriptor)
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Descriptor of standard error. It and those below stay open. */
const STANDARD_ERROR = 2;

/** Interval at which a read that was given up notices it, milliseconds. */
const POLL_INTERVAL = 1_000;

/**
 * Returns true if the process inherited the descriptor, and false if the runtime opened it. An
 * inherited descriptor cannot have the close-on-exec flag. macOS has no /proc: there, reading a
 * descriptor that is not open fails.
 */
export function isInherited(descriptor: number): boolean {
  const CLOSE_ON_EXEC = 0o2000000;
  try {
    const info = Deno.readTextFileSync(`/proc/self/fdinfo/${descriptor}`);
    const flags = /^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? "0";
    return (parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    return Deno.build.os !== "linux";
  }
}

/** Reads an inherited descriptor to its end, and closes it. Throws {@link SourceError}. */
export async function readDescriptor(
  descriptor: number,
  options: Pick<SourceOptions, "maxBytes">,
): Promise<Uint8Array<ArrayBuffer>> {
  const system = POSIX_SYSTEMS[Deno.build.os];
  if (!system) {
    throw new SourceError("failed", "is not available on Windows; use env:NAME or a file");
  }
  if (!isInherited(descriptor)) {
    throw new SourceError(
      "missing",
      `is not open; open it in the shell, for example ${descriptor}< FILE`,
    );
  }
  checkKind(`/dev/fd/${descriptor}`);
  return await readAndClose(descriptor, system, options);
}

/** Reads standard input to its end. Throws {@link SourceError}. */
export async function readStandardInput(
  options: Pick<SourceOptions, "maxBytes">,
): Promise<Uint8Array<ArrayBuffer>> {
  if (Deno.stdin.isTerminal()) {
    throw new SourceError("device", "is a terminal; pipe the key or certificate to the command");
  }
  return await readStream((into) => Deno.stdin.read(into), options);
}

function checkKind(path: string): void {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch {
    return; // reading it fails too, with a better reason
  }
  if (info.isDirectory) throw new SourceError("directory", "is a directory; open a file in it");
  if (info.isCharDevice && info.rdev !== Deno.statSync("/dev/null").rdev) {
    throw new SourceError("device", "is a device; open a file or a pipe");
  }
}

async function readAndClose(
  descriptor: number,
  { library: path, poll: events }: PosixSystem,
  options: Pick<SourceOptions, "maxBytes">,
): Promise<Uint8Array<ArrayBuffer>> {
  const library = Deno.dlopen(path, SYMBOLS);
  const { poll, read, close } = library.symbols;
  const refuse = () => new SourceError("failed", "cannot be read; open it for reading");
  let isOver = false;
  // struct pollfd: int fd, short events, short revents
  const request = new Uint8Array(8);
  const view = new DataView(request.buffer);
  view.setInt32(0, descriptor, true);
  view.setInt16(4, events.readable, true);
  try {
    // The writing end of a pipe never becomes readable, so poll would wait for ever.
    if (read(descriptor, new Uint8Array(1), 0n) < 0n) throw refuse();
    return await readStream(async (into) => {
      do {
        const ready = await poll(request, 1n, POLL_INTERVAL);
        if (isOver) break; // it is closed, and its number may be another file's
        if (ready > 0) {
          const count = Number(read(descriptor, into, BigInt(into.length)));
          if (count < 0) throw refuse();
          return count;
        }
      } while (!isOver);
      return 0;
    }, options);
  } finally {
    isOver = true;
    if (descriptor > STANDARD_ERROR) close(descriptor);
  }
}
