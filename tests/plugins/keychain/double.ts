import type { FrameworkPaths } from "../../../plugins/keychain/frameworks.ts";

/** Which keychain an identity is in; the numbers are those of `doubles/double.h`. */
export const KEYCHAINS = { open: 0, locked: 1, none: 2 } as const;

/** A certificate that the double is to hold; with a key it is an identity. */
export interface Kept {
  readonly encoded: Uint8Array;
  /** PEM. */
  readonly keyPath?: string;
  /** Default: an open one. */
  readonly keychain?: keyof typeof KEYCHAINS;
  /** The number of the issuer's certificate. */
  readonly issuer?: number;
}

const CONTROL = {
  double_live: { parameters: [], result: "i64" },
  double_reset: { parameters: [], result: "void" },
  double_add: { parameters: ["buffer", "u32", "buffer", "i32"], result: "i32" },
  double_issued_by: { parameters: ["i32", "i32"], result: "void" },
  double_fail: { parameters: ["buffer", "i32", "i32"], result: "void" },
  double_set_domain: { parameters: ["buffer"], result: "void" },
  double_set_password: { parameters: ["buffer"], result: "void" },
  double_set_trusted: { parameters: ["i32"], result: "void" },
  double_remove: { parameters: [], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

const text = (value: string) => new TextEncoder().encode(`${value}\0`);

/** The double, loaded into this process. */
export class KeychainDouble implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof CONTROL>;

  constructor(readonly path: string) {
    this.#library = Deno.dlopen(path, CONTROL);
    this.#library.symbols.double_reset();
  }

  /** What to make the keystore of. */
  get frameworks(): FrameworkPaths {
    return { coreFoundation: this.path, security: this.path };
  }

  /** Objects that are alive at this moment. */
  get live(): number {
    return Number(this.#library.symbols.double_live());
  }

  /** Puts identities, and certificates that trust is evaluated with, into the keychain. */
  keep(kept: readonly Kept[]): void {
    const { double_add, double_issued_by } = this.#library.symbols;
    const numbers = kept.map(({ encoded, keyPath, keychain = "open" }) =>
      double_add(
        new Uint8Array(encoded),
        encoded.length,
        keyPath === undefined ? null : text(keyPath),
        KEYCHAINS[keychain],
      )
    );
    kept.forEach(({ issuer }, i) => {
      const [child, parent] = [numbers[i], issuer === undefined ? undefined : numbers[issuer]];
      if (child !== undefined && parent !== undefined) double_issued_by(child, parent);
    });
  }

  /** Lets a function fail with a code once it has succeeded so often. */
  fail(name: string, code: number, successes = 0): void {
    this.#library.symbols.double_fail(text(name), code, successes);
  }

  /** The domain of the errors that signing gives. */
  setDomain(domain: string): void {
    this.#library.symbols.double_set_domain(text(domain));
  }

  /** The password of the locked keychain. */
  setPassword(password: string): void {
    this.#library.symbols.double_set_password(text(password));
  }

  /** Whether the machine trusts the issuers. */
  setTrusted(trusted: boolean): void {
    this.#library.symbols.double_set_trusted(trusted ? 1 : 0);
  }

  /** Takes all identities out of the keychain, while references to them are held. */
  remove(): void {
    this.#library.symbols.double_remove();
  }

  [Symbol.dispose](): void {
    this.#library.symbols.double_reset();
    this.#library.close();
  }
}
