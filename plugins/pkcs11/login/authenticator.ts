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
import { copyToNative } from "../cryptoki/library.ts";
import {
  noTerminalError,
  pinAlreadyRejected,
  pinError,
  pinLocked,
  type PinTarget,
  wrongPin,
} from "./pin_errors.ts";
import type { PinCache } from "./pin_cache.ts";
import { CKR } from "../cryptoki/return_values.ts";

/** Some modules return CKR_ARGUMENTS_BAD for a PIN of a length that the token does not take. */
const WRONG_PIN_VALUES: readonly number[] = [
  CKR.PIN_INCORRECT,
  CKR.PIN_INVALID,
  CKR.PIN_LEN_RANGE,
  CKR.ARGUMENTS_BAD,
];

const encoded = (text: string) => new TextEncoder().encode(text);

/** Opens locks with what was given, is remembered, or is typed. */
export class Authenticator {
  constructor(private readonly memory: PinCache, private readonly context: KeystoreContext) {}

  /**
   * Opens a target. Throws `key-locked` when the PIN is wrong, missing, locked or not set, and when
   * one try is left and no person is there; `CryptokiError` when the token fails otherwise.
   */
  async authenticate(target: PinTarget): Promise<void> {
    let flags = await target.flags();
    if (flags & CKF.USER_PIN_LOCKED) throw pinLocked(target);
    const given = await target.given();
    const pin = given?.pin ?? this.memory.get(target.name) ?? await target.guess?.();
    if (pin) {
      const spent = await this.memory.isRejected(target.name, pin);
      if (spent && given) throw pinAlreadyRejected(target, given);
      if (!spent && !(flags & CKF.USER_PIN_FINAL_TRY)) {
        if (await this.#send(target, pin)) return;
        flags = await target.flags();
        if (given) throw wrongPin(target, given, flags);
      }
      pin.fill(0);
    }
    const onPad = !given && (flags & CKF.PROTECTED_AUTHENTICATION_PATH) !== 0;
    await (onPad ? this.#askOnPad(target, flags) : this.#ask(target, flags));
  }

  async #ask(target: PinTarget, flags: number): Promise<void> {
    let before = "";
    const prompt = new SecretPrompt({
      prompt: (question) => this.context.prompt(question),
      isRejected: (answer) => this.memory.isRejected(target.name, encoded(answer)),
      onRejected: () => before = "That PIN was refused before and is not sent again. ",
      noTerminal: () => noTerminalError(target, flags),
      exhausted: () => pinError(`none of ${MAX_PROMPTS} entries is ${target.pin}`),
    });
    for (;;) {
      const answer = await prompt.next(() => {
        const warning = flags & CKF.USER_PIN_FINAL_TRY
          ? `One try is left: a wrong PIN locks ${target.token}. `
          : "";
        return `${before}${warning}${target.pin.replace(/^t/, "T")}: `;
      });
      if (answer === "") {
        throw pinError(`${target.pin} was not entered; nothing was sent to the token`);
      }
      if (await this.#send(target, encoded(answer))) return;
      before = "That PIN is wrong. ";
      flags = await target.flags();
      if (flags & CKF.USER_PIN_LOCKED) throw pinLocked(target);
    }
  }

  async #askOnPad(target: PinTarget, flags: number): Promise<void> {
    for (let questions = 0; questions < MAX_PROMPTS; questions++) {
      if (flags & CKF.USER_PIN_FINAL_TRY) {
        const question =
          `One try is left: a wrong PIN locks ${target.token}. Press Enter to go on: `;
        if (await this.context.prompt(question) === undefined) throw noTerminalError(target, flags);
      }
      this.context.say(`enter ${target.pin} on the token's PIN pad`);
      if (await this.#send(target, null)) return;
      this.context.say("that PIN is wrong");
      flags = await target.flags();
      if (flags & CKF.USER_PIN_LOCKED) throw pinLocked(target);
    }
    throw pinError(`none of ${MAX_PROMPTS} entries on the PIN pad is ${target.pin}`);
  }

  /** Whether the token takes the PIN; wipes it. */
  async #send(target: PinTarget, pin: Uint8Array | null): Promise<boolean> {
    try {
      const value = await target.attempt(pin && copyToNative(pin));
      if (value === CKR.USER_ALREADY_LOGGED_IN) return true;
      if (value === CKR.OK) {
        if (pin) this.memory.set(target.name, pin);
        return true;
      }
      const isWrong = WRONG_PIN_VALUES.includes(value) &&
        (pin !== null || value !== CKR.ARGUMENTS_BAD);
      if (pin && (isWrong || value === CKR.PIN_LOCKED)) {
        await this.memory.markRejected(target.name, pin);
      }
      if (isWrong) return false;
      throw value === CKR.PIN_LOCKED
        ? pinLocked(target)
        : value === CKR.PIN_EXPIRED
        ? pinError(`${target.pin} has expired; set a new one with the token's own program`)
        : value === CKR.USER_PIN_NOT_INITIALIZED
        ? pinError(
          `${target.token} has no PIN yet; set one (pkcs11-tool --login --so-pin … --init-pin)`,
        )
        : new CryptokiError("C_Login", value);
    } finally {
      pin?.fill(0);
    }
  }
}
