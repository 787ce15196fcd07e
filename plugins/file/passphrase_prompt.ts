/**
 * Passphrase of a file: from a flag, the environment or a prompt.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import { SecretPrompt } from "../../src/keystore/secret_prompt.ts";
import type { GivenSecret, KeystoreContext } from "../../src/keystore/types.ts";
import { WrongPassphraseError } from "./errors.ts";
import { encodePassphrase, NO_PASSPHRASE, type Passphrase } from "./passphrase.ts";

/** Function that tries a passphrase. Throws {@link WrongPassphraseError} if it is wrong. */
export type Attempt<T> = (passphrase: Passphrase) => Promise<T>;

/**
 * Passphrases for the parts of one file. The passphrase of one part is tried for the next part too.
 */
export class PassphrasePrompt {
  #known: Passphrase | undefined;

  constructor(
    private readonly context: Pick<KeystoreContext, "secret" | "prompt">,
    private readonly displayName: string,
  ) {}

  /**
   * Returns the result of `attempt` for the right passphrase. With `emptyFirst`, tries no passphrase
   * and an empty one before the prompt, because PKCS#12 files often have none.
   *
   * Throws `key-locked` if the given passphrase is wrong, if there is no terminal, and after three
   * wrong answers.
   */
  async unlock<T>(
    attempt: Attempt<T>,
    options: { readonly emptyFirst?: boolean } = {},
  ): Promise<T> {
    const given = await this.context.secret("pkcs8-password");
    if (given !== undefined) {
      const opened = await this.#try(attempt, encodeVariants(given.text));
      if (opened) return opened.value;
      throw this.#wrong(given);
    }
    const unasked = this.#known ? [this.#known] : options.emptyFirst ? encodeVariants("") : [];
    const opened = await this.#try(attempt, unasked);
    return opened ? opened.value : await this.#ask(attempt);
  }

  async #ask<T>(attempt: Attempt<T>): Promise<T> {
    const prompt = new SecretPrompt({
      prompt: (question) => this.context.prompt(question),
      noTerminal: () =>
        this.#locked(
          `${this.displayName} is encrypted and there is no terminal to ask for its passphrase; ` +
            "give it with --pkcs8-password (env:NAME, file:PATH or fd:N)",
        ),
      secretName: `the passphrase of ${this.displayName}`,
    });
    for (let before = "";; before = "Wrong passphrase. ") {
      const answer = await prompt.next(() => `${before}Passphrase for ${this.displayName}: `);
      const opened = await this.#try(attempt, encodeVariants(answer));
      if (opened) return opened.value;
    }
  }

  async #try<T>(
    attempt: Attempt<T>,
    passphrases: readonly Passphrase[],
  ): Promise<{ value: T } | undefined> {
    for (const passphrase of passphrases) {
      try {
        const value = await attempt(passphrase);
        this.#known = passphrase;
        return { value };
      } catch (thrown) {
        if (!(thrown instanceof WrongPassphraseError)) throw thrown;
      }
    }
    return undefined;
  }

  #wrong({ text, source, origin }: GivenSecret): HelperError {
    const place = origin ? `${source} (${origin})` : source;
    return this.#locked(
      text === ""
        ? `${place}: the passphrase is empty and does not unlock ${this.displayName}; ` +
          emptyAdvice(origin)
        : `the passphrase given does not unlock ${this.displayName}; check ${place}` +
          (origin ? "" : " (a file is file:PATH)"),
    );
  }

  #locked(sentence: string): HelperError {
    return new HelperError("key-locked", sentence);
  }
}

/** Returns the advice for an empty passphrase. CI services empty the variables of untrusted jobs. */
function emptyAdvice(origin: string | undefined): string {
  if (origin === undefined) return "leave it out to be prompted for it";
  return origin.startsWith("env:")
    ? "check that this job may read the secret"
    : "check its first line";
}

/** Encodes a passphrase. PKCS#12 has two forms of the empty one. */
function encodeVariants(text: string): Passphrase[] {
  return text === "" ? [encodePassphrase(""), NO_PASSPHRASE] : [encodePassphrase(text)];
}
