/**
 * Silences libraries that write to stderr, which is for this program's own messages.
 *
 * @module
 */
import { readVariable } from "../runtime/read_variable.ts";
import { POSIX_SYSTEMS, type PosixSystem } from "../runtime/system_table.ts";

/** Variables that silence libraries: tpm2-tss and tpm2-pkcs11. */
const QUIET: Readonly<Record<string, string>> = {
  TSS2_LOG: "all+NONE",
  TPM2_PKCS11_LOG_LEVEL: "0", // lowest level: errors only
};

const SYMBOLS = {
  // int dup(int descriptor)
  dup: { parameters: ["i32"], result: "i32" },
  // int dup2(int from, int to)
  dup2: { parameters: ["i32", "i32"], result: "i32" },
  // int open(const char *path, int flags)
  open: { parameters: ["buffer", "i32"], result: "i32" },
  // int close(int descriptor)
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const STDERR = 2;

/** Variables of {@link QUIET} that this program set, not the user. */
const setByProgram = new Set<string>();

/** Sets the variables that the user has not set. Call it before a library is loaded. */
export function quietLibraries(): void {
  for (const [name, value] of Object.entries(QUIET)) {
    if (readVariable(name) !== undefined) continue;
    Deno.env.set(name, value);
    setByProgram.add(name);
  }
}

/** Redirection of stderr, which is one for the whole process. */
interface Redirection extends Disposable {
  users: number;
}

let active: Redirection | undefined;

/**
 * Runs `work` with stderr redirected to /dev/null: no variable silences GLib and tpm2-pkcs11
 * completely. If the user set one of the variables, stderr is not redirected.
 */
export async function withQuietStderr<T>(work: () => Promise<T>): Promise<T> {
  const system = POSIX_SYSTEMS[Deno.build.os];
  if (!system || setByProgram.size < Object.keys(QUIET).length) return await work();
  const redirection = active ??= redirectStderr(system);
  redirection.users++;
  try {
    return await work();
  } finally {
    // Work of two modules can overlap: the last one restores stderr.
    if (--redirection.users === 0) {
      active = undefined;
      redirection[Symbol.dispose]();
    }
  }
}

function redirectStderr(system: PosixSystem): Redirection {
  const library = Deno.dlopen(system.library, SYMBOLS);
  const libc = library.symbols;
  const path = new TextEncoder().encode("/dev/null\0");
  const saved = libc.dup(STDERR);
  const nowhere = saved < 0 ? saved : libc.open(path, system.openWithoutBlocking);
  if (nowhere >= 0) libc.dup2(nowhere, STDERR);
  return {
    users: 0,
    [Symbol.dispose]() {
      if (nowhere >= 0) {
        libc.dup2(saved, STDERR);
        libc.close(nowhere);
      }
      if (saved >= 0) libc.close(saved);
      library.close();
    },
  };
}
