/**
 * Prompts for the secret of a key, and the secrets that a key rejected.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { concatenate } from "../bytes.ts";
import { HelperError } from "../errors.ts";
import type { KeystoreContext } from "./types.ts";

/** Prompts for one secret, at most. */
export const MAX_PROMPTS = 3;

/** Behaviour of a {@link SecretPrompt}. */
export interface SecretPromptOptions {
  readonly prompt: KeystoreContext["prompt"];
  /** Returns true for an answer that must not be sent again; default: no answer. */
  readonly isRejected?: (answer: string) => Promise<boolean>;
  /** Runs for such an answer, before the next prompt. */
  readonly onRejected?: () => void;
  /** Returns the error if there is no terminal. */
  readonly noTerminal: () => Error;
  /** Secret in messages, such as `the PIN of token "x"`. */
  readonly secretName: string;
}

/** Prompt for one secret until an answer is right, at most {@link MAX_PROMPTS} times. */
export class SecretPrompt {
  #prompts = 0;

  constructor(private readonly options: SecretPromptOptions) {}

  /**
   * Returns the next answer that was not rejected before.
   *
   * Throws the error of {@link SecretPromptOptions.noTerminal}, and `key-locked` after
   * {@link MAX_PROMPTS} prompts.
   */
  async next(question: () => string): Promise<string> {
    const { prompt, isRejected, onRejected, noTerminal, secretName } = this.options;
    while (this.#prompts < MAX_PROMPTS) {
      this.#prompts += 1;
      const answer = await prompt(question());
      if (answer === undefined) throw noTerminal();
      if (!await isRejected?.(answer)) return answer;
      onRejected?.();
    }
    throw wrongEntriesError(secretName);
  }
}

/** Returns the error after {@link MAX_PROMPTS} wrong entries of a secret. `where` continues "entries". */
export function wrongEntriesError(secretName: string, where = ""): HelperError {
  return new HelperError(
    "key-locked",
    `${secretName}: ${MAX_PROMPTS} wrong entries${where}; check it and run again`,
  );
}

/** Secrets that a key rejected, as salted SHA-256 digests in memory, so that none is sent twice. */
export class RejectedSecrets {
  readonly #digests = new Map<string, Set<string>>();
  readonly #salt = crypto.getRandomValues(new Uint8Array(16));

  /** Remembers that `name` rejected the secret. */
  async add(name: string, secret: string | Uint8Array): Promise<void> {
    const digest = await this.#digest(secret);
    // After the wait: two rejections at a time must not overwrite each other.
    const digests = this.#digests.get(name) ?? new Set();
    this.#digests.set(name, digests.add(digest));
  }

  /** Returns true if `name` rejected the secret. */
  async has(name: string, secret: string | Uint8Array): Promise<boolean> {
    return this.#digests.get(name)?.has(await this.#digest(secret)) ?? false;
  }

  /** Returns the salted digest, and wipes the copies that it makes. */
  async #digest(secret: string | Uint8Array): Promise<string> {
    const isText = typeof secret === "string";
    const bytes = isText ? new TextEncoder().encode(secret) : secret;
    const salted = concatenate([this.#salt, bytes]);
    try {
      return encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", salted)));
    } finally {
      salted.fill(0);
      if (isText) bytes.fill(0);
    }
  }
}
