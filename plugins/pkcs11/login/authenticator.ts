/**
 * Presenting PINs to a token with care: a wrong PIN is never sent twice, the last try is left to a
 * person, and a person is asked again only where the token allows it.
 *
 * @module
 */
import { MAX_PROMPTS, SecretPrompt } from "../../../src/keystore/secret_prompt.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { CKF } from "../cryptoki/constants.ts";
import { CryptokiError } from "../cryptoki/errors.ts";
import { nativeCopy } from "../cryptoki/library.ts";
import {
  type Lock,
  locked,
  noTerminal,
  pinAlreadyRejected,
  refusal,
  wrongPin,
} from "./pin_errors.ts";
import type { PinMemory } from "./pin_cache.ts";
import { CKR } from "../cryptoki/return_values.ts";

/** Some modules return CKR_ARGUMENTS_BAD for a PIN of a length that the token does not take. */
const WRONG: readonly number[] = [
  CKR.PIN_INCORRECT,
  CKR.PIN_INVALID,
  CKR.PIN_LEN_RANGE,
  CKR.ARGUMENTS_BAD,
];

const encoded = (text: string) => new TextEncoder().encode(text);

/** Opens locks with what was given, is remembered, or is typed. */
export class Authenticator {
  constructor(private readonly memory: PinMemory, private readonly context: KeystoreContext) {}

  /**
   * Opens a lock. Throws `key-locked` when the PIN is wrong, missing, locked or not set, and when
   * one try is left and no person is there; `CryptokiError` when the token fails otherwise.
   */
  async open(lock: Lock): Promise<void> {
    let flags = await lock.flags();
    if (flags & CKF.USER_PIN_LOCKED) throw locked(lock);
    const given = await lock.given();
    const pin = given?.pin ?? this.memory.recall(lock.name) ?? await lock.guess?.();
    if (pin) {
      const spent = await this.memory.wasRefused(lock.name, pin);
      if (spent && given) throw pinAlreadyRejected(lock, given);
      if (!spent && !(flags & CKF.USER_PIN_FINAL_TRY)) {
        if (await this.#send(lock, pin)) return;
        flags = await lock.flags();
        if (given) throw wrongPin(lock, given, flags);
      }
      pin.fill(0);
    }
    const onPad = !given && (flags & CKF.PROTECTED_AUTHENTICATION_PATH) !== 0;
    await (onPad ? this.#askOnPad(lock, flags) : this.#ask(lock, flags));
  }

  async #ask(lock: Lock, flags: number): Promise<void> {
    let before = "";
    const prompt = new SecretPrompt({
      prompt: (question) => this.context.prompt(question),
      isRejected: (answer) => this.memory.wasRefused(lock.name, encoded(answer)),
      onRejected: () => before = "That PIN was refused before and is not sent again. ",
      noTerminal: () => noTerminal(lock, flags),
      exhausted: () => refusal(`none of ${MAX_PROMPTS} entries is ${lock.pin}`),
    });
    for (;;) {
      const answer = await prompt.next(() => {
        const warning = flags & CKF.USER_PIN_FINAL_TRY
          ? `One try is left: a wrong PIN locks ${lock.token}. `
          : "";
        return `${before}${warning}${lock.pin.replace(/^t/, "T")}: `;
      });
      if (answer === "") {
        throw refusal(`${lock.pin} was not entered; nothing was sent to the token`);
      }
      if (await this.#send(lock, encoded(answer))) return;
      before = "That PIN is wrong. ";
      flags = await lock.flags();
      if (flags & CKF.USER_PIN_LOCKED) throw locked(lock);
    }
  }

  async #askOnPad(lock: Lock, flags: number): Promise<void> {
    for (let questions = 0; questions < MAX_PROMPTS; questions++) {
      if (flags & CKF.USER_PIN_FINAL_TRY) {
        const question = `One try is left: a wrong PIN locks ${lock.token}. Press Enter to go on: `;
        if (await this.context.prompt(question) === undefined) throw noTerminal(lock, flags);
      }
      this.context.info(`enter ${lock.pin} on the token's PIN pad`);
      if (await this.#send(lock, null)) return;
      this.context.info("that PIN is wrong");
      flags = await lock.flags();
      if (flags & CKF.USER_PIN_LOCKED) throw locked(lock);
    }
    throw refusal(`none of ${MAX_PROMPTS} entries on the PIN pad is ${lock.pin}`);
  }

  /** Whether the token takes the PIN; wipes it. */
  async #send(lock: Lock, pin: Uint8Array | null): Promise<boolean> {
    try {
      const value = await lock.attempt(pin && nativeCopy(pin));
      if (value === CKR.USER_ALREADY_LOGGED_IN) return true;
      if (value === CKR.OK) {
        if (pin) this.memory.remember(lock.name, pin);
        return true;
      }
      const isWrong = WRONG.includes(value) && (pin !== null || value !== CKR.ARGUMENTS_BAD);
      if (pin && (isWrong || value === CKR.PIN_LOCKED)) await this.memory.refuse(lock.name, pin);
      if (isWrong) return false;
      throw value === CKR.PIN_LOCKED
        ? locked(lock)
        : value === CKR.PIN_EXPIRED
        ? refusal(`${lock.pin} has expired; set a new one with the token's own program`)
        : value === CKR.USER_PIN_NOT_INITIALIZED
        ? refusal(
          `${lock.token} has no PIN yet; set one (pkcs11-tool --login --so-pin … --init-pin)`,
        )
        : new CryptokiError("C_Login", value);
    } finally {
      pin?.fill(0);
    }
  }
}
