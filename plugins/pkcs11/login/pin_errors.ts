/**
 * A login target (token or key), and the errors for failed PIN attempts.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import { CKF } from "../cryptoki/constants.ts";
import type { GivenPin } from "./pin_sources.ts";

/** Login target: a token, or a key that requires its own login. */
export interface PinTarget {
  /** Key in the {@link PinCache}. */
  readonly cacheKey: string;
  /** For messages: `the PIN of token "x"`. */
  readonly pinName: string;
  /** For messages: `token "x"`. */
  readonly tokenName: string;
  /** For messages: the ways to set the PIN. */
  readonly hint: string;
  /** Returns the PIN of the URI or flag. */
  givenPin(): Promise<GivenPin | undefined>;
  /** Returns a PIN to try if none was given and none is cached. */
  fallbackPin?(): Promise<Uint8Array | undefined>;
  /** Reads the token's current flags. */
  flags(): Promise<number>;
  /** Calls C_Login and returns its value. Wipes the PIN; null uses the token's PIN pad. */
  login(pin: Uint8Array<ArrayBuffer> | null): Promise<number>;
}

/** Creates a `key-locked` error. */
export function pinError(message: string): HelperError {
  return new HelperError("key-locked", message);
}

/** Creates the error for too many wrong PINs. */
export function pinLocked({ pinName, tokenName }: PinTarget): HelperError {
  return pinError(
    `${pinName} is locked after too many wrong PINs; unlock ${tokenName} with its own program and its PUK ` +
      "or SO-PIN",
  );
}

/** Creates the error for a wrong PIN of the URI or flag. */
export function wrongPin({ pinName }: PinTarget, { from }: GivenPin, flags: number): HelperError {
  const left = flags & CKF.USER_PIN_FINAL_TRY
    ? " (one try is left before it is locked)"
    : flags & CKF.USER_PIN_COUNT_LOW
    ? " (few tries are left)"
    : "";
  return pinError(`${from}: this is not ${pinName}${left}; correct it before you try again`);
}

/** Creates the error for a PIN of the URI or flag that the token already rejected. */
export function pinAlreadyRejected({ pinName }: PinTarget, { from }: GivenPin): HelperError {
  return pinError(
    `${from}: already rejected as ${pinName} and not sent again; correct it ` +
      "(if the token's PIN changed, restart this program)",
  );
}

/** Creates the error for a PIN that must be typed without a terminal. */
export function noTerminalError(
  { pinName, tokenName, hint }: PinTarget,
  flags: number,
): HelperError {
  return pinError(
    flags & CKF.USER_PIN_FINAL_TRY
      ? `one try is left before ${tokenName} is locked, and there is no terminal to ask for its PIN; ` +
        "no PIN was sent: sign once at a terminal (sign-string) to reset the count"
      : `${pinName} is needed and there is no terminal to ask for it; set it with ${hint}`,
  );
}
