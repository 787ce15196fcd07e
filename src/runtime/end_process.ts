/**
 * End of the process without exit handlers.
 *
 * @module
 */
import { POSIX_SYSTEMS } from "./system_table.ts";

// In a thread: the runtime compiles nothing for such a call.
const SYMBOLS = {
  // void _exit(int status)
  _exit: { parameters: ["i32"], result: "void", nonblocking: true },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * Ends the process with `code`. Exit handlers do not run. PKCS#11 modules and the TPM library load
 * OpenSSL. Its handler frees memory that the runtime's threads free too when they end. 2 of 1,240
 * processes ended by SIGABRT after their work. Returns only on a system without the function.
 */
export async function endProcess(
  code: number,
  operatingSystem: string = Deno.build.os,
): Promise<void> {
  try {
    const system = POSIX_SYSTEMS[operatingSystem];
    if (system) await Deno.dlopen(system.library, SYMBOLS).symbols._exit(code);
  } catch {
    // another C library
  }
}
