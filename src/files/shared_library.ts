/**
 * Native library that several callers use.
 *
 * @module
 */

/** Library that is open as long as a caller uses it. */
export class SharedLibrary<Symbols extends Deno.ForeignLibraryInterface> {
  #library: Deno.DynamicLibrary<Symbols> | undefined;
  #users = 0;

  constructor(private readonly name: string, private readonly symbols: Symbols) {}

  /** Returns the library's functions; pair each call with {@link release}. Throws if it cannot be opened. */
  acquire(): Deno.DynamicLibrary<Symbols>["symbols"] {
    this.#library ??= Deno.dlopen(this.name, this.symbols);
    this.#users++;
    return this.#library.symbols;
  }

  /** Ends one use; the last one closes the library. */
  release(): void {
    if (--this.#users > 0) return;
    this.#library?.close();
    this.#library = undefined;
  }
}
