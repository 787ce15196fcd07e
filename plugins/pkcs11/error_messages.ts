/**
 * Messages for errors of a PKCS#11 module.
 *
 * @module
 */
import { type ErrorCode, HelperError } from "../../src/errors.ts";
import { DerError } from "../../src/x509/der.ts";
import { KeyTypeError } from "../../src/x509/key_types.ts";
import { CallTimeoutError, CryptokiError } from "./cryptoki/errors.ts";
import { CKR } from "./cryptoki/return_values.ts";

interface Advice {
  readonly code: ErrorCode;
  readonly advice: string;
}

const GONE: Advice = {
  code: "key-not-found",
  advice: "the token was removed or replaced; insert it and try again",
};
const UNUSABLE_KEY: Advice = {
  code: "key-unsupported",
  advice: "the token does not allow this mechanism for this key; check its settings",
};

/** Advice by return value; {@link OTHER} is the default. */
const ADVICE: ReadonlyMap<number, Advice> = new Map([
  [CKR.DEVICE_REMOVED, GONE],
  [CKR.TOKEN_NOT_PRESENT, GONE],
  [CKR.TOKEN_NOT_RECOGNIZED, GONE],
  [CKR.SESSION_HANDLE_INVALID, GONE],
  [CKR.SESSION_CLOSED, GONE],
  [CKR.SLOT_ID_INVALID, GONE],
  [CKR.OBJECT_HANDLE_INVALID, GONE],
  [CKR.KEY_HANDLE_INVALID, GONE],
  [CKR.MECHANISM_INVALID, UNUSABLE_KEY],
  [CKR.KEY_TYPE_INCONSISTENT, UNUSABLE_KEY],
  [CKR.KEY_FUNCTION_NOT_PERMITTED, UNUSABLE_KEY],
  [CKR.KEY_SIZE_RANGE, UNUSABLE_KEY],
  [CKR.USER_NOT_LOGGED_IN, {
    code: "key-locked",
    advice: "the token requires a PIN; set pin-source, --context-pin or --reuse-pin",
  }],
  [CKR.FUNCTION_CANCELED, { code: "key-locked", advice: "it was cancelled at the token" }],
  [CKR.FUNCTION_REJECTED, {
    code: "key-locked",
    advice: "the token rejected it or was not touched in time; try again",
  }],
  [CKR.SESSION_COUNT, {
    code: "key-unreadable",
    advice: "too many programs use the token; close one and try again",
  }],
]);

const UNUSABLE_MODULE: Advice = {
  code: "keystore-unavailable",
  advice: "check the module's own configuration, or name another with --pkcs11-lib",
};
const OTHER: Advice = {
  code: "key-unreadable",
  advice: "check the token with another program, such as pkcs11-tool --module with this module",
};

/**
 * Runs `work` with the module at `path`. Converts the module's errors to a {@link HelperError} that
 * names `label`, the call and the return value.
 */
export async function withErrorMessages<T>(
  label: string,
  path: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof CallTimeoutError) {
      throw new HelperError("key-unreadable", `${label}: ${path}: ${cause.message}`, { cause });
    }
    if (cause instanceof KeyTypeError) {
      throw new HelperError("key-unsupported", `${label}: ${cause.message}`, { cause });
    }
    if (cause instanceof DerError) {
      const sentence = `${label}: the certificate has a malformed public key (${cause.message})`;
      throw new HelperError("certificate-format", sentence, { cause });
    }
    if (!(cause instanceof CryptokiError)) throw cause;
    const { code, advice } = cause.call === "C_Initialize"
      ? UNUSABLE_MODULE
      : ADVICE.get(cause.value) ?? OTHER;
    const sentence = `${label}: ${cause.message} in ${path}; ${advice}`;
    throw new HelperError(code, sentence, { cause });
  }
}
