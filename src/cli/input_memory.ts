/**
 * Keys and certificates from variables and descriptors. Each is read once and kept in memory, because
 * commands open their sources several times.
 *
 * @module
 */
import type { InputSource } from "../keystore/uri.ts";

/** Dependencies of {@link InputMemory}. */
export interface InputDeps {
  /** Returns the value of a variable and removes the variable. */
  takeVariable(name: string): Uint8Array<ArrayBuffer> | undefined;
  /** Reads a descriptor to its end. Throws `SourceError`. */
  readDescriptor(number: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** The inputs of one run. Disposing of it overwrites them. */
export class InputMemory implements Disposable {
  readonly #variables = new Map<string, Uint8Array<ArrayBuffer> | undefined>();
  readonly #descriptors = new Map<number, Promise<Uint8Array<ArrayBuffer>>>();
  readonly #contents: Uint8Array<ArrayBuffer>[] = [];

  constructor(private readonly deps: InputDeps) {}

  /** Takes a variable before its first use, so that child processes do not inherit it. */
  hold(input: InputSource): void {
    if (input.kind !== "variable" || this.#variables.has(input.name)) return;
    const value = this.deps.takeVariable(input.name);
    this.#variables.set(input.name, value);
    if (value) this.#contents.push(value);
  }

  /** Returns a copy of the contents, which the caller wipes. Throws `SourceError`. */
  async read(input: InputSource): Promise<Uint8Array<ArrayBuffer>> {
    this.hold(input);
    if (input.kind === "variable") {
      const value = this.#variables.get(input.name);
      if (value) return value.slice();
      const { SourceError } = await import("../files/source_error.ts");
      throw new SourceError("missing", "is not set; set and export the variable");
    }
    const known = this.#descriptors.get(input.number);
    const reading = known ?? this.#readDescriptor(input.number);
    this.#descriptors.set(input.number, reading);
    return (await reading).slice();
  }

  [Symbol.dispose](): void {
    for (const contents of this.#contents) contents.fill(0);
  }

  async #readDescriptor(number: number): Promise<Uint8Array<ArrayBuffer>> {
    const contents = await this.deps.readDescriptor(number);
    this.#contents.push(contents);
    return contents;
  }
}
