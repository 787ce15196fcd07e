/**
 * Regular files that are opened and read in other threads, because their file system may block. The
 * runtime's own functions open files in its main thread.
 *
 * @module
 */
import { SharedLibrary } from "./shared_library.ts";

/** An open file, by the interface that fits it. */
export interface OpenFile {
  /** Path of the open file itself, for system calls; only for a file opened in a thread on Linux. */
  readonly path?: string;
  /** Returns the number of bytes; 0 at the end. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number>;
  close(): Promise<void>;
}

/** A read failed. Its errno is unknown, because it belongs to the other thread. */
export class UnknownReadError extends Error {
  override readonly name = "UnknownReadError";
}

const SYMBOLS = {
  // int open(const char *path, int flags)
  open: { parameters: ["buffer", "i32"], result: "i32", nonblocking: true },
  // ssize_t read(int descriptor, void *buffer, size_t size)
  read: { parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true },
  // int close(int descriptor)
  close: { parameters: ["i32"], result: "i32", nonblocking: true },
} as const satisfies Deno.ForeignLibraryInterface;

/** C library and flags of open(2) of a system. */
interface PosixFiles {
  readonly library: string;
  /** O_RDONLY, O_NONBLOCK, O_NOCTTY and O_CLOEXEC together. */
  readonly flags: number;
  /** O_NOFOLLOW. */
  readonly noFollow: number;
}

/** O_NOFOLLOW of Linux, which differs between x86-64 and arm64. */
export const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100000 : 0o400000;

const SYSTEMS: Readonly<Record<string, PosixFiles | undefined>> = {
  linux: { library: "libc.so.6", flags: 0o4000 | 0o400 | 0o2000000, noFollow: O_NOFOLLOW },
  darwin: {
    library: "/usr/lib/libSystem.B.dylib",
    flags: 0x4 | 0x20000 | 0x1000000,
    noFollow: 0x100,
  },
};

const SYSTEM = SYSTEMS[Deno.build.os];
const LIBRARY = SYSTEM && new SharedLibrary(SYSTEM.library, SYMBOLS);

/** Memory that calls in threads use, kept from the garbage collector: the runtime does not keep it. */
const inUse = new Set<Uint8Array>();

/** Waits for a call that uses `memory`. */
async function keepAlive<T>(memory: Uint8Array, called: Promise<T>): Promise<T> {
  inUse.add(memory);
  try {
    return await called;
  } finally {
    inUse.delete(memory);
  }
}

/**
 * Opens the C library, so that {@link openInThread} finds it open until the result is disposed of. Takes 0.4 ms,
 * which a caller can spend while it waits. Never throws.
 */
export function holdThreadCalls(): Disposable {
  try {
    LIBRARY?.acquire();
    return { [Symbol.dispose]: () => LIBRARY?.release() };
  } catch {
    return { [Symbol.dispose]() {} }; // another C library
  }
}

/**
 * Opens `path`; without `followLinks` not through a link in its last part. Returns undefined
 * if that fails, or on a system without the functions; the runtime's own functions know the reason.
 */
export async function openInThread(
  path: string,
  followLinks = true,
): Promise<OpenFile | undefined> {
  if (!SYSTEM || !LIBRARY || path.includes("\0")) return undefined;
  let symbols: ReturnType<typeof LIBRARY.acquire>;
  try {
    symbols = LIBRARY.acquire();
  } catch {
    return undefined; // another C library
  }
  const name = new TextEncoder().encode(`${path}\0`);
  const flags = SYSTEM.flags | (followLinks ? 0 : SYSTEM.noFollow);
  const descriptor = await keepAlive(name, symbols.open(name, flags));
  if (descriptor < 0) {
    LIBRARY.release();
    return undefined;
  }
  return {
    ...(Deno.build.os === "linux" ? { path: `/proc/self/fd/${descriptor}` } : {}),
    read: async (into) => {
      const count = await keepAlive(into, symbols.read(descriptor, into, BigInt(into.length)));
      if (count < 0n) throw new UnknownReadError("read failed");
      return Number(count);
    },
    close: async () => {
      await symbols.close(descriptor);
      LIBRARY.release();
    },
  };
}
