import type { WindowsLibraries } from "../../../plugins/cng/libraries.ts";

/** Where the key of a certificate is; the numbers are those of `doubles/double.h`. */
export const KEY_KINDS = {
  none: 0,
  cng: 1,
  "cng smart card": 2,
  "CryptoAPI with SHA-2": 3,
  "CryptoAPI without SHA-2": 4,
  "cng cached": 5,
  "CryptoAPI card without SHA-2": 6,
} as const;

/** A name in {@link KEY_KINDS}. */
export type KeyKind = keyof typeof KEY_KINDS;

/** A certificate that the double is to hold. */
export interface Held {
  readonly encoded: Uint8Array;
  /** PEM on Linux, a BCRYPT blob on Windows; absent: there is no key. */
  readonly keyPath?: string;
  readonly kind: KeyKind;
  /** The number of the issuer's certificate. */
  readonly issuer?: number;
  /** In the store (the default), or known to the chain engine alone. */
  readonly inStore?: boolean;
}

const CONTROL = {
  double_live: { parameters: [], result: "i64" },
  double_reset: { parameters: [], result: "void" },
  double_add: { parameters: ["buffer", "u32", "buffer", "u32", "i32"], result: "i32" },
  double_issued_by: { parameters: ["i32", "i32"], result: "void" },
  double_fail: { parameters: ["buffer", "u32", "i32"], result: "void" },
  double_set_pin: { parameters: ["buffer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

const text = (value: string) => new TextEncoder().encode(`${value}\0`);

/** The double, loaded into this process. */
export class CngDouble implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof CONTROL>;

  constructor(readonly path: string) {
    this.#library = Deno.dlopen(path, CONTROL);
    this.#library.symbols.double_reset();
  }

  /** What to make the keystore of. */
  readonly libraries = (): WindowsLibraries => ({
    crypt32: this.path,
    ncrypt: this.path,
    advapi32: this.path,
    kernel32: this.path,
  });

  /** Handles, contexts, chains and stores that the keystore holds at this moment. */
  get live(): number {
    return Number(this.#library.symbols.double_live());
  }

  /** Puts certificates into the store. */
  hold(held: readonly Held[]): void {
    const { double_add, double_issued_by } = this.#library.symbols;
    const numbers = held.map(({ encoded, keyPath, kind, inStore = true }) =>
      double_add(
        new Uint8Array(encoded),
        encoded.length,
        keyPath === undefined ? null : text(keyPath),
        KEY_KINDS[kind],
        inStore ? 1 : 0,
      )
    );
    held.forEach(({ issuer }, i) => {
      const [child, parent] = [numbers[i], issuer === undefined ? undefined : numbers[issuer]];
      if (child !== undefined && parent !== undefined) double_issued_by(child, parent);
    });
  }

  /** Lets a function fail with a code once it has succeeded so often. */
  fail(name: string, code: number, successes = 0): void {
    this.#library.symbols.double_fail(text(name), code, successes);
  }

  /** The PIN of the smart card. */
  setPin(pin: string): void {
    this.#library.symbols.double_set_pin(text(pin));
  }

  [Symbol.dispose](): void {
    this.#library.symbols.double_reset();
    this.#library.close();
  }
}
