/**
 * Entries of directories held by descriptor (Linux). A path through a held directory reaches the
 * same directory, even if its name now leads to another.
 *
 * @module
 */
import { SharedLibrary } from "./shared_library.ts";
import { O_NOFOLLOW } from "./thread_file.ts";

const SYMBOLS = {
  // int openat(int directory, const char *path, int flags, mode_t mode)
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  // ssize_t readlinkat(int directory, const char *path, char *buffer, size_t size)
  readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  // int close(int descriptor)
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const LIBRARY = new SharedLibrary("libc.so.6", SYMBOLS);

/** O_PATH and O_CLOEXEC of Linux. */
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
/** AT_FDCWD: an absolute path does not use it. */
const NO_DIRECTORY = -100;
/** PATH_MAX. */
const MAX_LINK_LENGTH = 4096;

/** Directory entry that was opened by O_PATH, without following a link. */
export class HeldEntry implements Disposable {
  private constructor(
    readonly descriptor: number,
    private readonly close: (descriptor: number) => number,
  ) {}

  /** True where entries can be held. */
  static readonly isSupported = Deno.build.os === "linux";

  /**
   * Opens `path`, without following a link in its last part. Returns undefined if that fails.
   */
  static open(path: string): HeldEntry | undefined {
    const flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
    const { openat, close } = LIBRARY.acquire();
    const descriptor = openat(NO_DIRECTORY, cString(path), flags, 0);
    if (descriptor >= 0) return new HeldEntry(descriptor, close);
    LIBRARY.release();
    return undefined;
  }

  /** Keeps the C library open, for callers that open entries often. */
  static keepReady(): Disposable {
    if (HeldEntry.isSupported) LIBRARY.acquire();
    return { [Symbol.dispose]: () => HeldEntry.isSupported && LIBRARY.release() };
  }

  /** Path to the held entry, for system calls. */
  get path(): string {
    return `/proc/self/fd/${this.descriptor}`;
  }

  /** Reads the entry's own metadata. */
  stat(): Deno.FileInfo {
    return Deno.statSync(this.path);
  }

  /** Reads the target of a held symbolic link; undefined if it is not a link. */
  readLink(): string | undefined {
    const buffer = new Uint8Array(MAX_LINK_LENGTH);
    const { readlinkat } = LIBRARY.acquire();
    try {
      const length = readlinkat(this.descriptor, cString(""), buffer, BigInt(buffer.length));
      return length < 0n ? undefined : new TextDecoder().decode(buffer.subarray(0, Number(length)));
    } finally {
      LIBRARY.release();
    }
  }

  [Symbol.dispose](): void {
    this.close(this.descriptor);
    LIBRARY.release();
  }
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
