/**
 * Standard error of long-running commands. A line is written at once if possible, otherwise queued.
 * It is dropped if the queue is full.
 *
 * @module
 */
import { LineQueue, type WriteResult } from "./line_queue.ts";
import { POSIX_SYSTEMS, type PosixSystem } from "./system_table.ts";

const SYMBOLS = {
  // int poll(struct pollfd *descriptors, nfds_t count, int timeout)
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
  // int open(const char *path, int flags)
  open: { parameters: ["buffer", "i32"], result: "i32" },
  // ssize_t write(int descriptor, const void *bytes, size_t length)
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
} as const satisfies Deno.ForeignLibraryInterface;

const STDERR = 2;
const PATH = "/dev/fd/2";
/** Interval between retries of queued lines, milliseconds. */
const RETRY_INTERVAL = 500;
/** Timeout for a slow reader at the end of the process, milliseconds. */
const DRAIN_TIMEOUT = 500;
const DRAIN_INTERVAL = 20;

/** Log that never blocks and never throws. */
export interface Log {
  /** Writes one line. */
  writeLine(line: string): void;
  /** Waits a short time for the queued lines. */
  drain(): Promise<void>;
}

/** Creates the log of a long-running command. */
export function createLog(operatingSystem: string = Deno.build.os): Log {
  const system = POSIX_SYSTEMS[operatingSystem];
  const queue = new LineQueue(system ? posixWriter(system) : writeOrDrop);
  let timer: ReturnType<typeof setInterval> | undefined;
  const retry = () => {
    queue.flush();
    if (queue.isWaiting) return;
    clearInterval(timer);
    timer = undefined;
  };
  return {
    writeLine: (line) => {
      queue.add(line);
      if (!queue.isWaiting || timer !== undefined) return;
      timer = setInterval(retry, RETRY_INTERVAL);
      Deno.unrefTimer(timer);
    },
    drain: async () => {
      for (let waited = 0; queue.isWaiting && waited < DRAIN_TIMEOUT; waited += DRAIN_INTERVAL) {
        queue.flush();
        await new Promise((resolve) => setTimeout(resolve, DRAIN_INTERVAL));
      }
    },
  };
}

/** Writes or drops. On Windows no call returns whether a write would block. */
function writeOrDrop(bytes: Uint8Array): WriteResult {
  try {
    return Deno.stderr.writeSync(bytes);
  } catch {
    return "gone";
  }
}

function posixWriter(system: PosixSystem): (bytes: Uint8Array) => WriteResult {
  const { symbols } = Deno.dlopen(system.library, SYMBOLS);
  const descriptor = reopenNonBlocking(system, symbols.open) ?? STDERR;
  // struct pollfd: int fd, short events, short revents
  const polled = new DataView(new ArrayBuffer(8));
  polled.setInt32(0, descriptor, true);
  polled.setInt16(4, system.poll.writable, true);
  const buffer = new Uint8Array(polled.buffer);
  return (bytes) => {
    polled.setInt16(6, 0, true);
    if (symbols.poll(buffer, 1n, 0) < 1) return "full";
    const events = polled.getInt16(6, true);
    if ((events & system.poll.broken) !== 0) return "gone";
    // Copies, because the call needs its own buffer.
    const written = symbols.write(descriptor, Uint8Array.from(bytes), BigInt(bytes.length));
    return written < 0n ? "full" : Number(written);
  };
}

/**
 * Reopens a pipe or terminal, because O_NONBLOCK belongs to the open file, which other processes share.
 * Returns undefined for other files, and without /proc or permission; then only poll(2) is used.
 */
function reopenNonBlocking(
  { openWithoutBlocking }: PosixSystem,
  open: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"]["open"],
): number | undefined {
  try {
    const { isFifo, isCharDevice } = Deno.statSync(PATH);
    if (!isFifo && !isCharDevice) return undefined;
  } catch {
    return undefined;
  }
  const descriptor = open(new TextEncoder().encode(`${PATH}\0`), openWithoutBlocking);
  return descriptor < 0 ? undefined : descriptor;
}
