import { createKeystore } from "../../../plugins/keychain/mod.ts";
import { cString, type DoubleEntry, StoreDouble } from "../store_double.ts";

/** Keychains of an identity, with their numbers in `doubles/double.h`. */
export const KEYCHAINS = { open: 0, locked: 1, none: 2 } as const;

/** Certificate in the double; with a key, which is PEM, it is an identity. */
export interface Kept extends DoubleEntry {
  /** Default: an open one. */
  readonly keychain?: keyof typeof KEYCHAINS;
}

const CONTROL = {
  double_add: { parameters: ["buffer", "u32", "buffer", "i32"], result: "i32" },
  double_set_domain: { parameters: ["buffer"], result: "void" },
  double_set_password: { parameters: ["buffer"], result: "void" },
  double_set_trusted: { parameters: ["i32"], result: "void" },
  double_remove: { parameters: [], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Double of the frameworks of macOS. */
export class KeychainDouble extends StoreDouble<Kept> {
  readonly #library: Deno.DynamicLibrary<typeof CONTROL>;

  constructor(path: string) {
    super(path);
    this.#library = Deno.dlopen(path, CONTROL);
  }

  get keystore() {
    return createKeystore({ coreFoundation: this.path, security: this.path });
  }

  protected add(
    { encoded, keychain = "open" }: Kept,
    keyPath: Uint8Array<ArrayBuffer> | null,
  ): number {
    return this.#library.symbols.double_add(
      new Uint8Array(encoded),
      encoded.length,
      keyPath,
      KEYCHAINS[keychain],
    );
  }

  /** Sets the domain of the errors that signing returns. */
  setDomain(domain: string): void {
    this.#library.symbols.double_set_domain(cString(domain));
  }

  /** Sets the password of the locked keychain. */
  setSecret(password: string): void {
    this.#library.symbols.double_set_password(cString(password));
  }

  /** Sets if the machine trusts the issuers. */
  setTrusted(trusted: boolean): void {
    this.#library.symbols.double_set_trusted(trusted ? 1 : 0);
  }

  /** Removes all identities from the keychain, while references to them are held. */
  remove(): void {
    this.#library.symbols.double_remove();
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.#library.close();
  }
}
