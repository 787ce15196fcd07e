import type { CertificateLister, Keystore } from "../../src/keystore/types.ts";

/** Certificate that a double is to hold. */
export interface DoubleEntry {
  readonly encoded: Uint8Array;
  /** Absent if there is no key. */
  readonly keyPath?: string;
  /** The number of the issuer's certificate. */
  readonly issuer?: number;
}

/** Functions of every double. */
const CONTROL = {
  double_live: { parameters: [], result: "i64" },
  double_reset: { parameters: [], result: "void" },
  double_issued_by: { parameters: ["i32", "i32"], result: "void" },
  double_fail: { parameters: ["buffer", "i32", "i32"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Returns the text as a C string. */
export const cString = (value: string) => new TextEncoder().encode(`${value}\0`);

/** Double of an operating system's store, loaded into this process. */
export abstract class StoreDouble<Entry extends DoubleEntry> implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof CONTROL>;

  constructor(readonly path: string) {
    this.#library = Deno.dlopen(path, CONTROL);
    this.#library.symbols.double_reset();
  }

  /** A new keystore over the double. */
  abstract get keystore(): Keystore & CertificateLister;

  /** Adds an entry; returns its number. */
  protected abstract add(entry: Entry, keyPath: Uint8Array<ArrayBuffer> | null): number;

  /** Sets the secret of the smart card or the locked keychain. */
  abstract setSecret(secret: string): void;

  /** Number of objects that are alive now. */
  get live(): number {
    return Number(this.#library.symbols.double_live());
  }

  /** Puts certificates into the store. */
  hold(entries: readonly Entry[]): void {
    const numbers = entries.map((entry) =>
      this.add(entry, entry.keyPath === undefined ? null : cString(entry.keyPath))
    );
    for (const [i, { issuer }] of entries.entries()) {
      const [child, parent] = [numbers[i], issuer === undefined ? undefined : numbers[issuer]];
      if (child !== undefined && parent !== undefined) {
        this.#library.symbols.double_issued_by(child, parent);
      }
    }
  }

  /** Makes a function fail with a code after this number of successes. */
  fail(name: string, code: number, successes = 0): void {
    this.#library.symbols.double_fail(cString(name), code | 0, successes);
  }

  [Symbol.dispose](): void {
    this.#library.symbols.double_reset();
    this.#library.close();
  }
}
