/**
 * Functions and constants of the operating systems for long-running commands
 * (`<sys/resource.h>`, `<sys/prctl.h>`, `<signal.h>`, `<poll.h>`, `<fcntl.h>`, `werapi.h`).
 *
 * @module
 */

/** System with POSIX functions. */
export interface PosixSystem {
  /** Library with the functions. */
  readonly library: string;
  /** RLIMIT_CORE and RLIMIT_NOFILE. */
  readonly limits: { readonly core: number; readonly openFiles: number };
  /** PR_SET_DUMPABLE, where prctl(2) exists. */
  readonly setDumpable?: number;
  /** SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO and, on Linux, SIGSTKFLT and SIGPWR. */
  readonly meaninglessSignals: readonly number[];
  /** POLLIN; POLLOUT; POLLERR, POLLHUP and POLLNVAL together. */
  readonly poll: {
    readonly readable: number;
    readonly writable: number;
    readonly broken: number;
  };
  /** O_WRONLY, O_NONBLOCK, O_NOCTTY and O_CLOEXEC together. */
  readonly openWithoutBlocking: number;
}

/** The POSIX systems that the program is built for, by `Deno.build.os`. */
export const POSIX_SYSTEMS: Readonly<Record<string, PosixSystem>> = {
  linux: {
    library: "libc.so.6",
    limits: { core: 4, openFiles: 7 },
    setDumpable: 4,
    meaninglessSignals: [10, 12, 14, 26, 27, 29, 16, 30],
    poll: { readable: 1, writable: 4, broken: 8 | 16 | 32 },
    openWithoutBlocking: 0o1 | 0o4000 | 0o400 | 0o2000000,
  },
  darwin: {
    library: "/usr/lib/libSystem.B.dylib",
    limits: { core: 4, openFiles: 8 },
    meaninglessSignals: [30, 31, 14, 26, 27, 23],
    poll: { readable: 1, writable: 4, broken: 8 | 16 | 32 },
    openWithoutBlocking: 0x1 | 0x4 | 0x20000 | 0x1000000,
  },
};

/** Windows: WerSetFlags of kernel32.dll and WER_FAULT_REPORTING_FLAG_NOHEAP. */
export const WINDOWS_REPORTS = { library: "kernel32.dll", withoutHeap: 1 } as const;
