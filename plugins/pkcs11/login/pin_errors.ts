/**
 * What PINs open, and the sentences for PINs that do not.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import { CKF } from "../cryptoki/constants.ts";
import type { GivenPin } from "./pin_sources.ts";

/** Something that a PIN opens. */
export interface PinTarget {
  /** By which {@link PinCache} knows it. */
  readonly name: string;
  /** For messages: `the PIN of token "x"`. */
  readonly pin: string;
  /** For messages: `token "x"`. */
  readonly token: string;
  /** How the PIN can be given beforehand, for messages. */
  readonly hint: string;
  /** The PIN that was given beforehand. */
  given(): Promise<GivenPin | undefined>;
  /** One that may fit, tried when none was given and none is remembered. */
  guess?(): Promise<Uint8Array | undefined>;
  /** The token's flags at this moment. */
  flags(): Promise<number>;
  /** C_Login with a PIN, which is wiped, or null to have the token ask; gives the return value. */
  attempt(pin: Uint8Array<ArrayBuffer> | null): Promise<number>;
}

/** `key-locked` with a sentence. */
export function pinError(sentence: string): HelperError {
  return new HelperError("key-locked", sentence);
}

/** Too many wrong PINs. */
export function pinLocked({ pin, token }: PinTarget): HelperError {
  return pinError(
    `${pin} is locked after too many wrong ones; unlock ${token} with its own program and its PUK ` +
      "or SO-PIN",
  );
}

/** The PIN that was given is wrong. */
export function wrongPin({ pin }: PinTarget, { from }: GivenPin, flags: number): HelperError {
  const left = flags & CKF.USER_PIN_FINAL_TRY
    ? "; one try is left before it is locked"
    : flags & CKF.USER_PIN_COUNT_LOW
    ? "; not many tries are left"
    : "";
  return pinError(`what ${from} gives is not ${pin}${left}; correct it before trying again`);
}

/** The PIN that was given is known to be wrong. */
export function pinAlreadyRejected({ pin }: PinTarget, { from }: GivenPin): HelperError {
  return pinError(
    `what ${from} gives was refused as ${pin} before and is not sent again; correct it ` +
      "(after a change of PIN on the token, restart this program)",
  );
}

/** A person must enter the PIN, and none is there. */
export function noTerminalError({ pin, token, hint }: PinTarget, flags: number): HelperError {
  return pinError(
    flags & CKF.USER_PIN_FINAL_TRY
      ? `one try is left before ${token} is locked, and there is no terminal to ask for its PIN; ` +
        "no PIN was sent: sign once at a terminal (sign-string) to reset the count"
      : `${pin} is needed and there is no terminal to ask for it; give it with ${hint}`,
  );
}
