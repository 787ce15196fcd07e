/**
 * Limits of this process: core dumps, unused signals, open files.
 *
 * @module
 */
import { POSIX_SYSTEMS, type PosixSystem, WINDOWS_REPORTS } from "./system_table.ts";

const LIMIT_SYMBOLS = {
  // int getrlimit(int resource, struct rlimit *limits)
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  // int setrlimit(int resource, const struct rlimit *limits)
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const SIGNAL_SYMBOLS = {
  // void (*signal(int signal, void (*handler)(int)))(int)
  signal: { parameters: ["i32", "usize"], result: "usize" },
} as const satisfies Deno.ForeignLibraryInterface;

const PRCTL_SYMBOLS = {
  // int prctl(int option, unsigned long argument)
  prctl: { parameters: ["i32", "usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const REPORT_SYMBOLS = {
  // HRESULT WerSetFlags(DWORD flags)
  WerSetFlags: { parameters: ["u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** SIG_IGN. */
const IGNORE = 1n;

/** Keeps this process's memory out of core dumps. Returns false if the system refused. */
export function disableCoreDumps(operatingSystem: string = Deno.build.os): boolean {
  const system = POSIX_SYSTEMS[operatingSystem];
  if (!system) return reportWithoutHeap();
  const library = Deno.dlopen(system.library, LIMIT_SYMBOLS);
  try {
    const none = bytesOf(new BigUint64Array(2));
    const limited = library.symbols.setrlimit(system.limits.core, none) === 0;
    // A program that receives core dumps (core_pattern with a pipe) is not bound by the limit.
    return (system.setDumpable === undefined || clearDumpable(system)) && limited;
  } finally {
    library.close();
  }
}

/** Ignores signals that the program does not use and that would end it, such as SIGUSR1. */
export function ignoreMeaninglessSignals(operatingSystem: string = Deno.build.os): void {
  const system = POSIX_SYSTEMS[operatingSystem];
  if (!system) return;
  const library = Deno.dlopen(system.library, SIGNAL_SYMBOLS);
  try {
    for (const number of system.meaninglessSignals) library.symbols.signal(number, IGNORE);
  } finally {
    library.close();
  }
}

function clearDumpable({ library: name, setDumpable = 0 }: PosixSystem): boolean {
  const library = Deno.dlopen(name, PRCTL_SYMBOLS);
  try {
    return library.symbols.prctl(setDumpable, 0n) === 0;
  } finally {
    library.close();
  }
}

/** Windows has no core files; its error reports can hold the heap. */
function reportWithoutHeap(): boolean {
  try {
    const library = Deno.dlopen(WINDOWS_REPORTS.library, REPORT_SYMBOLS);
    try {
      return library.symbols.WerSetFlags(WINDOWS_REPORTS.withoutHeap) >= 0;
    } finally {
      library.close();
    }
  } catch {
    return false;
  }
}

/**
 * Raises the limit of open files to the system's maximum, because each connection is one. Returns the
 * limit; undefined if there is none.
 */
export function raiseOpenFilesLimit(operatingSystem: string = Deno.build.os): number | undefined {
  const system = POSIX_SYSTEMS[operatingSystem];
  if (system === undefined) return undefined;
  const library = Deno.dlopen(system.library, LIMIT_SYMBOLS);
  try {
    const limits = new BigUint64Array(2); // struct rlimit: rlim_cur, rlim_max
    const bytes = bytesOf(limits);
    const { openFiles } = system.limits;
    if (library.symbols.getrlimit(openFiles, bytes) !== 0) return undefined;
    const [current = 0n, max = 0n] = limits;
    limits[0] = max;
    const raised = library.symbols.setrlimit(openFiles, bytes) === 0;
    return Number(raised ? max : current);
  } finally {
    library.close();
  }
}

function bytesOf(array: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
