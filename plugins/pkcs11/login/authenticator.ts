/**
 * Sends PINs safely: never the same wrong PIN twice, and never an automatic PIN on the last try.
 *
 * @module
 */
import {
  MAX_PROMPTS,
  SecretPrompt,
  wrongEntriesError,
} from "../../../src/keystore/secret_prompt.ts";
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

/** Return values for a wrong PIN; some modules use CKR_ARGUMENTS_BAD for a wrong length. */
const WRONG_PIN_VALUES: readonly number[] = [
  CKR.PIN_INCORRECT,
  CKR.PIN_INVALID,
  CKR.PIN_LEN_RANGE,
  CKR.ARGUMENTS_BAD,
];

const encoded = (text: string) => new TextEncoder().encode(text);

/** Login with the PIN that was given, is cached, or is typed. */
export class Authenticator {
  constructor(private readonly pinCache: PinCache, private readonly context: KeystoreContext) {}

  /**
   * Logs in to a target. Throws `key-locked` if the PIN is wrong, missing, locked or not set. Also
   * throws it if one try is left and there is no terminal. Throws `CryptokiError` for other errors
   * of the token.
   */
  async authenticate(target: PinTarget): Promise<void> {
    let flags = await target.flags();
    if (flags & CKF.USER_PIN_LOCKED) throw pinLocked(target);
    const given = await target.givenPin();
    const pin = given?.pin ?? this.pinCache.get(target.cacheKey) ?? await target.fallbackPin?.();
    if (pin) {
      const isRejected = await this.pinCache.isRejected(target.cacheKey, pin);
      if (isRejected && given) {
        pin.fill(0);
        throw pinAlreadyRejected(target, given);
      }
      if (!isRejected && !(flags & CKF.USER_PIN_FINAL_TRY)) {
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
      isRejected: (answer) => this.pinCache.isRejected(target.cacheKey, answer),
      onRejected: () => before = "That PIN was already rejected and is not sent again. ",
      noTerminal: () => noTerminalError(target, flags),
      secretName: target.pinName,
    });
    for (;;) {
      const answer = await prompt.next(() => {
        const warning = flags & CKF.USER_PIN_FINAL_TRY
          ? `One try is left: a wrong PIN locks ${target.tokenName}. `
          : "";
        return `${before}${warning}${target.pinName.replace(/^t/, "T")}: `;
      });
      if (answer === "") {
        throw pinError(`${target.pinName} was not entered; nothing was sent to the token`);
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
          `One try is left: a wrong PIN locks ${target.tokenName}. Press Enter to go on: `;
        if (await this.context.prompt(question) === undefined) throw noTerminalError(target, flags);
      }
      this.context.info(`enter ${target.pinName} on the token's PIN pad`);
      if (await this.#send(target, null)) return;
      this.context.info("that PIN is wrong");
      flags = await target.flags();
      if (flags & CKF.USER_PIN_LOCKED) throw pinLocked(target);
    }
    throw wrongEntriesError(target.pinName, " on the PIN pad");
  }

  /** Sends a PIN and wipes it. Returns false if it is wrong. */
  async #send(target: PinTarget, pin: Uint8Array | null): Promise<boolean> {
    try {
      const value = await target.login(pin && copyToNative(pin));
      if (value === CKR.USER_ALREADY_LOGGED_IN) return true;
      if (value === CKR.OK) {
        if (pin) this.pinCache.set(target.cacheKey, pin);
        return true;
      }
      const isWrong = WRONG_PIN_VALUES.includes(value) &&
        (pin !== null || value !== CKR.ARGUMENTS_BAD);
      if (pin && (isWrong || value === CKR.PIN_LOCKED)) {
        await this.pinCache.markRejected(target.cacheKey, pin);
      }
      if (isWrong) return false;
      throw value === CKR.PIN_LOCKED
        ? pinLocked(target)
        : value === CKR.PIN_EXPIRED
        ? pinError(`${target.pinName} has expired; set a new one with the token's own program`)
        : value === CKR.USER_PIN_NOT_INITIALIZED
        ? pinError(
          `${target.tokenName} has no PIN yet; set one (pkcs11-tool --login --so-pin … --init-pin)`,
        )
        : new CryptokiError("C_Login", value);
    } finally {
      pin?.fill(0);
    }
  }
}
