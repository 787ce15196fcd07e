/**
 * Passwords of keys and parents: given, remembered or asked for, and never sent twice once refused.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { type LockoutState, triesWords } from "./lockout.ts";

const MAX_PROMPTS = 3;

/** Passwords that were typed, and those that were refused, as long as the process lives. */
export class PasswordMemory {
  readonly #accepted = new Map<string, string>();
  readonly #refused = new Map<string, Set<string>>();

  accepted(identity: string): string | undefined {
    return this.#accepted.get(identity);
  }

  isRefused(identity: string, password: string): boolean {
    return this.#refused.get(identity)?.has(password) ?? false;
  }

  accept(identity: string, password: string): void {
    this.#accepted.set(identity, password);
  }

  refuse(identity: string, password: string): void {
    if (this.#accepted.get(identity) === password) this.#accepted.delete(identity);
    const refused = this.#refused.get(identity) ?? new Set();
    this.#refused.set(identity, refused.add(password));
  }
}

/** Whose password it is, and what may be tried without asking. */
export interface PasswordOptions {
  /** Tells this key or parent from every other, in {@link PasswordMemory}. */
  readonly identity: string;
  /** For messages and questions, for instance "the TPM key handle:0x81000001". */
  readonly name: string;
  readonly flag: "tpm-key-password" | "tpm-parent-password";
  /** The user says that there is none. */
  readonly none: boolean;
  /** Try an empty one before asking. */
  readonly guessEmpty: boolean;
  /** The longest password there can be, in bytes. */
  readonly max: number;
}

/** Where a password that is tried came from. */
type Origin = "flag" | "none" | "remembered" | "guess" | "answer";

/** The password of one key or parent in one use of it. */
export class Password {
  #used: { readonly text: string; readonly origin: Origin } | undefined;
  #questions = 0;

  constructor(
    readonly options: PasswordOptions,
    private readonly context: Pick<KeystoreContext, "secret" | "prompt" | "info">,
    private readonly memory: PasswordMemory,
  ) {}

  /** Whether an empty password is tried that nobody gave. */
  get isGuess(): boolean {
    return this.#used?.origin === "guess";
  }

  /**
   * The password to try, UTF-8; empty for none. The caller wipes it.
   *
   * Throws `key-locked` when it was refused before in this process, when it is longer than any can
   * be, and when there is nobody to ask.
   */
  async current(): Promise<Uint8Array<ArrayBuffer>> {
    this.#used ??= await this.#find();
    const bytes = new TextEncoder().encode(this.#used.text);
    if (bytes.length <= this.options.max) return bytes;
    bytes.fill(0);
    throw this.#locked(
      `the password for ${this.options.name} is longer than the ${this.options.max} bytes ` +
        `a TPM password has at most; check --${this.options.flag}`,
    );
  }

  /** The TPM took it. */
  accepted(): void {
    if (this.#used?.origin === "answer") {
      this.memory.accept(this.options.identity, this.#used.text);
    }
  }

  /**
   * The TPM refused it: asks for another, if somebody can be asked and the TPM is not locked.
   * `lockout` is given when the try was counted.
   *
   * Throws `key-locked` when that was the last word.
   */
  async refused(lockout?: LockoutState): Promise<void> {
    const used = this.#used;
    if (used) this.memory.refuse(this.options.identity, used.text);
    const tries = lockout ? triesWords(lockout) : "such a try is not counted";
    if (used?.origin === "flag" || used?.origin === "none") {
      throw this.#locked(`${this.#refusalOf(used.origin)}; ${tries}`);
    }
    if (lockout?.triesLeft === 0) {
      throw this.#locked(`${this.options.name}: wrong password, and ${tries}`);
    }
    if (used?.origin === "answer") this.context.info(`that is not its password; ${tries}`);
    this.#used = await this.#ask();
  }

  async #find(): Promise<{ text: string; origin: Origin }> {
    const { identity, flag, none, guessEmpty } = this.options;
    const given = none ? "" : await this.context.secret(flag);
    const remembered = this.memory.accepted(identity);
    if (given !== undefined) {
      const origin = none ? "none" : "flag";
      if (this.memory.isRefused(identity, given)) {
        throw this.#locked(
          `${this.#refusalOf(origin)}; it was refused before and is not sent again`,
        );
      }
      return { text: given, origin };
    }
    if (remembered !== undefined) return { text: remembered, origin: "remembered" };
    if (guessEmpty && !this.memory.isRefused(identity, "")) return { text: "", origin: "guess" };
    return await this.#ask();
  }

  /** The question is always the same, so that whoever answers it for a person knows it again. */
  async #ask(): Promise<{ text: string; origin: Origin }> {
    const { identity, name, flag } = this.options;
    while (this.#questions < MAX_PROMPTS) {
      this.#questions += 1;
      const text = await this.context.prompt(`Password of ${name}: `);
      if (text === undefined) {
        const orNone = flag === "tpm-key-password"
          ? ", or --no-tpm-key-password if it has none"
          : "";
        throw this.#locked(
          `${name} needs a password and there is no terminal to ask for it; give it with ` +
            `--${flag} (env:NAME, file:PATH or fd:N)${orNone}`,
        );
      }
      if (!this.memory.isRefused(identity, text)) return { text, origin: "answer" };
      this.context.info("that password was refused before and is not sent again");
    }
    throw this.#locked(`none of ${MAX_PROMPTS} passwords is that of ${name}`);
  }

  #refusalOf(origin: "flag" | "none"): string {
    const { name, flag } = this.options;
    return origin === "flag"
      ? `the password given is not that of ${name}; check --${flag}`
      : `${name} has a password; give it with --${flag} (env:NAME, file:PATH or fd:N) in place of ` +
        "--no-tpm-key-password";
  }

  #locked(sentence: string): HelperError {
    return new HelperError("key-locked", sentence);
  }
}
