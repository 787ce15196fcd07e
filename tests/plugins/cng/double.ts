import { createKeystore } from "../../../plugins/cng/mod.ts";
import { cString, type DoubleEntry, StoreDouble } from "../store_double.ts";

/** Places of a certificate's key, with their numbers in `doubles/double.h`. */
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

/** Certificate in the double. A key is PEM on Linux, a BCRYPT blob on Windows. */
export interface Held extends DoubleEntry {
  readonly kind: KeyKind;
  /** In the store (the default), or known to the chain engine only. */
  readonly inStore?: boolean;
}

const CONTROL = {
  double_add: { parameters: ["buffer", "u32", "buffer", "u32", "i32"], result: "i32" },
  double_set_pin: { parameters: ["buffer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Double of the libraries of Windows. */
export class CngDouble extends StoreDouble<Held> {
  readonly #library: Deno.DynamicLibrary<typeof CONTROL>;

  constructor(path: string) {
    super(path);
    this.#library = Deno.dlopen(path, CONTROL);
  }

  get keystore() {
    const { path } = this;
    return createKeystore(() => ({ crypt32: path, ncrypt: path, advapi32: path, kernel32: path }));
  }

  protected add(
    { encoded, kind, inStore = true }: Held,
    keyPath: Uint8Array<ArrayBuffer> | null,
  ): number {
    return this.#library.symbols.double_add(
      new Uint8Array(encoded),
      encoded.length,
      keyPath,
      KEY_KINDS[kind],
      inStore ? 1 : 0,
    );
  }

  /** Sets the PIN of the smart card. */
  setSecret(pin: string): void {
    this.#library.symbols.double_set_pin(cString(pin));
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.#library.close();
  }
}
