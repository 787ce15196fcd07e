/**
 * Windows libraries, each opened at first use and closed together.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import { ADVAPI32, CRYPT32, KERNEL32, NCRYPT, SYSTEM_DIRECTORY } from "./ffi.ts";
import { readWide } from "./layout.ts";

/** Paths of the libraries with the functions of `ffi.ts`. */
export interface WindowsLibraries {
  readonly crypt32: string;
  readonly ncrypt: string;
  readonly advapi32: string;
  readonly kernel32: string;
}

/**
 * Returns the libraries by absolute paths, so that a planted library next to the program is not
 * loaded. kernel32.dll is already in every process.
 */
export function systemLibraries(): WindowsLibraries {
  const kernel32 = "kernel32.dll";
  const library = open(kernel32, SYSTEM_DIRECTORY);
  try {
    const path = new Uint16Array(1024);
    library.symbols.GetSystemDirectoryW(path, path.length - 1);
    const directory = readWide(Deno.UnsafePointer.of(path));
    const at = (name: string) => `${directory}\\${name}`;
    return {
      crypt32: at("crypt32.dll"),
      ncrypt: at("ncrypt.dll"),
      advapi32: at("advapi32.dll"),
      kernel32,
    };
  } finally {
    library.close();
  }
}

/** Open libraries of one key or one read of a store. */
export class Windows implements Disposable {
  readonly #paths: WindowsLibraries;
  readonly #opened = new DisposableStack();
  #crypt32?: Deno.DynamicLibrary<typeof CRYPT32>;
  #ncrypt?: Deno.DynamicLibrary<typeof NCRYPT>;
  #advapi32?: Deno.DynamicLibrary<typeof ADVAPI32>;
  #kernel32?: Deno.DynamicLibrary<typeof KERNEL32>;

  constructor(paths: WindowsLibraries) {
    this.#paths = paths;
  }

  /** Certificate stores. */
  get crypt32(): Deno.DynamicLibrary<typeof CRYPT32>["symbols"] {
    return (this.#crypt32 ??= this.#open(this.#paths.crypt32, CRYPT32)).symbols;
  }

  /** Keys of CNG. */
  get ncrypt(): Deno.DynamicLibrary<typeof NCRYPT>["symbols"] {
    return (this.#ncrypt ??= this.#open(this.#paths.ncrypt, NCRYPT)).symbols;
  }

  /** Keys of CryptoAPI. */
  get advapi32(): Deno.DynamicLibrary<typeof ADVAPI32>["symbols"] {
    return (this.#advapi32 ??= this.#open(this.#paths.advapi32, ADVAPI32)).symbols;
  }

  /**
   * Runs a call that sets `GetLastError`. Returns its result and the error code. The code is 0 if
   * the call did not fail, or if another call overwrote the code.
   */
  attempt<T extends number | Deno.PointerValue>(call: () => T): { result: T; code: number } {
    const { GetLastError } =
      (this.#kernel32 ??= this.#open(this.#paths.kernel32, KERNEL32)).symbols;
    const result = call();
    const code = GetLastError(); // at once: any other call may change it
    return { result, code: result ? 0 : code };
  }

  #open<T extends Deno.ForeignLibraryInterface>(path: string, symbols: T): Deno.DynamicLibrary<T> {
    const library = open(path, symbols);
    this.#opened.defer(() => library.close());
    return library;
  }

  [Symbol.dispose](): void {
    this.#opened.dispose();
  }
}

function open<T extends Deno.ForeignLibraryInterface>(
  path: string,
  symbols: T,
): Deno.DynamicLibrary<T> {
  try {
    return Deno.dlopen(path, symbols);
  } catch (cause) {
    throw new HelperError(
      "keystore-unavailable",
      `the library ${path} of Windows cannot be used; this needs Windows 10, Server 2016 or later`,
      { cause },
    );
  }
}
