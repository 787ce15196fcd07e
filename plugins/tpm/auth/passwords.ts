/**
 * Passwords of keys and parents, from a flag, the cache or a prompt; a rejected one is never
 * resent.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import { RejectedSecrets, SecretPrompt } from "../../../src/keystore/secret_prompt.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { formatTriesLeft, type LockoutState } from "./lockout.ts";

/** Typed passwords that were accepted, and digests of rejected ones, in memory. */
export class PasswordCache {
  readonly #accepted = new Map<string, string>();
  readonly #rejected = new RejectedSecrets();

  get(identity: string): string | undefined {
    return this.#accepted.get(identity);
  }

  isRejected(identity: string, password: string): Promise<boolean> {
    return this.#rejected.has(identity, password);
  }

  set(identity: string, password: string): void {
    this.#accepted.set(identity, password);
  }

  async markRejected(identity: string, password: string): Promise<void> {
    if (this.#accepted.get(identity) === password) this.#accepted.delete(identity);
    await this.#rejected.add(identity, password);
  }
}

/** The owner of a password, and the passwords to try without a prompt. */
export interface PasswordOptions {
  /** Cache key of this key or parent in {@link PasswordCache}; unique. */
  readonly identity: string;
  /** For messages and prompts, for instance "the TPM key handle:0x81000001". */
  readonly name: string;
  readonly flag: "tpm-key-password" | "tpm-parent-password";
  /** The user set --no-tpm-key-password. */
  readonly noPassword: boolean;
  /** Try an empty password before a prompt. */
  readonly tryEmpty: boolean;
  readonly maxBytes: number;
}

/** A password to try, and how it was found. */
type Candidate =
  | { readonly text: string; readonly kind: "given"; readonly source: string }
  | { readonly text: string; readonly kind: "no-password" | "cache" | "guess" | "prompt" };

/** The password of one key or parent, for one use of it. */
export class Password {
  #current: Candidate | undefined;
  readonly #prompt: SecretPrompt;

  constructor(
    readonly options: PasswordOptions,
    private readonly context: Pick<KeystoreContext, "secret" | "prompt" | "info">,
    private readonly cache: PasswordCache,
  ) {
    const { identity, name, flag } = options;
    const orNone = flag === "tpm-key-password" ? ", or --no-tpm-key-password if it has none" : "";
    this.#prompt = new SecretPrompt({
      prompt: (question) => context.prompt(question),
      isRejected: (answer) => cache.isRejected(identity, answer),
      onRejected: () => context.info("this password was already rejected and is not sent again"),
      noTerminal: () =>
        this.#lockedError(
          `${name} needs a password, but no terminal is available for a prompt; set --${flag} ` +
            `(env:NAME, file:PATH or fd:N)${orNone}`,
        ),
      secretName: `the password of ${name}`,
    });
  }

  /** True if the current password is an empty one that the user did not set. */
  get isGuess(): boolean {
    return this.#current?.kind === "guess";
  }

  /**
   * Returns the password to try, in UTF-8; empty for none. The caller wipes it.
   *
   * Throws `key-locked` if the password is too long or was rejected before in this process. Throws
   * it also if a prompt is needed and no terminal is available.
   */
  async current(): Promise<Uint8Array<ArrayBuffer>> {
    this.#current ??= await this.#find();
    const bytes = new TextEncoder().encode(this.#current.text);
    const { name, maxBytes } = this.options;
    if (bytes.length <= maxBytes) return bytes;
    bytes.fill(0);
    const advice = this.#current.kind === "given" ? `; check ${this.#current.source}` : "";
    throw this.#lockedError(
      `the password for ${name} is longer than the maximum of ${maxBytes} bytes${advice}`,
    );
  }

  /** Records that the TPM accepted the password. A typed one is cached. */
  accept(): void {
    if (this.#current?.kind === "prompt") {
      this.cache.set(this.options.identity, this.#current.text);
    }
  }

  /**
   * Records that the TPM rejected the password, and prompts for another. `lockout` is set if the
   * attempt was counted.
   *
   * Throws `key-locked` if the password was given, the TPM is locked, or all prompts are
   * used.
   */
  async reject(lockout?: LockoutState): Promise<void> {
    const used = this.#current;
    if (used) await this.cache.markRejected(this.options.identity, used.text);
    const tries = lockout
      ? formatTriesLeft(lockout)
      : "this attempt does not count towards the lockout";
    if (used?.kind === "given" || used?.kind === "no-password") {
      throw this.#lockedError(`${this.#rejectionMessage(used)}; ${tries}`);
    }
    if (lockout?.triesLeft === 0) {
      throw this.#lockedError(`wrong password for ${this.options.name}; ${tries}`);
    }
    if (used?.kind === "prompt") this.context.info(`wrong password; ${tries}`);
    this.#current = await this.#ask();
  }

  async #find(): Promise<Candidate> {
    const { identity, tryEmpty } = this.options;
    const given = await this.#given();
    const cached = this.cache.get(identity);
    if (given) {
      if (await this.cache.isRejected(identity, given.text)) {
        throw this.#lockedError(
          `${this.#rejectionMessage(given)}; it was already rejected and is not sent again`,
        );
      }
      return given;
    }
    if (cached !== undefined) return { text: cached, kind: "cache" };
    if (tryEmpty && !await this.cache.isRejected(identity, "")) {
      return { text: "", kind: "guess" };
    }
    return await this.#ask();
  }

  async #given(): Promise<Candidate | undefined> {
    const { flag, noPassword } = this.options;
    if (noPassword) return { text: "", kind: "no-password" };
    const secret = await this.context.secret(flag);
    return secret && { text: secret.text, kind: "given", source: secret.source };
  }

  /** Prompts with the same text each time, so that scripts (expect) can match it. */
  async #ask(): Promise<Candidate> {
    const text = await this.#prompt.next(() => `Password of ${this.options.name}: `);
    return { text, kind: "prompt" };
  }

  #rejectionMessage(used: Candidate): string {
    const { name, flag } = this.options;
    return used.kind === "given"
      ? `wrong password for ${name}; check ${used.source}`
      : `${name} has a password; set --${flag} (env:NAME, file:PATH or fd:N) instead of ` +
        "--no-tpm-key-password";
  }

  #lockedError(message: string): HelperError {
    return new HelperError("key-locked", message);
  }
}
