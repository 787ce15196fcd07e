/**
 * Messages for Windows error codes (winerror.h).
 *
 * @module
 */
import { type ErrorCode, HelperError } from "../../src/errors.ts";

/** Message of an error code, and the program's error code if it is not `key-unreadable`. */
type StatusMessage = readonly [message: string, code?: ErrorCode];

const NO_KEY: StatusMessage = [
  "the store holds no private key for it; import the certificate again with its key (a PFX file)",
  "key-not-found",
];
const NO_PERMISSION: StatusMessage = [
  "this account may not use the key; grant it access (certificate, All Tasks, Manage Private " +
  "Keys) or run as the account that imported it",
  "key-unreadable",
];
const NEEDS_WINDOW: StatusMessage = [
  "Windows would ask for a PIN, a password or a confirmation in a window, which a command must not " +
  "open; use a key without strong protection, or enter a smart card's PIN at the prompt",
  "key-locked",
];
const NO_DEVICE: StatusMessage = [
  "the smart card or security device that holds the key is not there; insert it and try again",
  "key-not-found",
];

/** Messages by error code. */
const STATUS_MESSAGES: Readonly<Record<number, StatusMessage>> = {
  5: NO_PERMISSION, // ERROR_ACCESS_DENIED
  0x80070005: NO_PERMISSION, // E_ACCESSDENIED
  0x80090010: NO_PERMISSION, // NTE_PERM
  0x8009000d: NO_KEY, // NTE_NO_KEY
  0x80090011: NO_KEY, // NTE_NOT_FOUND
  0x80090016: NO_KEY, // NTE_BAD_KEYSET
  0x8009200b: NO_KEY, // CRYPT_E_NO_KEY_PROPERTY
  0x80092004: NO_KEY, // CRYPT_E_NOT_FOUND
  0x80090022: NEEDS_WINDOW, // NTE_SILENT_CONTEXT
  0x8009002e: NEEDS_WINDOW, // NTE_UI_REQUIRED
  0x80090038: NEEDS_WINDOW, // NTE_NOT_ACTIVE_CONSOLE
  0x80090030: NO_DEVICE, // NTE_DEVICE_NOT_READY
  0x80090035: NO_DEVICE, // NTE_DEVICE_NOT_FOUND
  0x8010000c: NO_DEVICE, // SCARD_E_NO_SMARTCARD
  0x8010002e: NO_DEVICE, // SCARD_E_NO_READERS_AVAILABLE
  0x80100069: NO_DEVICE, // SCARD_W_REMOVED_CARD
  0x80090015: [ // NTE_BAD_PUBLIC_KEY
    "the private key that the store names for it belongs to another certificate; import it again",
    "key-mismatch",
  ],
  0x80090008: ["the key's provider cannot sign with this hash; import the key into CNG"], // NTE_BAD_ALGID
  0x80090029: ["the key's provider cannot make this kind of signature"], // NTE_NOT_SUPPORTED
  0x8009000b: ["the key may not be used for signing", "key-unsupported"], // NTE_BAD_KEY_STATE
  0x80090017: ["the provider that holds the key is not installed"], // NTE_PROV_TYPE_NOT_DEF
  0x80090019: ["the provider that holds the key is not installed"], // NTE_KEYSET_NOT_DEF
  0x8009001d: ["the provider that holds the key does not start"], // NTE_PROVIDER_DLL_FAIL
  0x8009001e: ["the provider that holds the key is not installed"], // NTE_PROV_DLL_NOT_FOUND
  0x80090024: ["this account has a temporary profile, which holds no keys"], // NTE_TEMPORARY_PROFILE
  0x80090033: ["the PIN or password is wrong", "key-locked"], // NTE_INCORRECT_PASSWORD
  0x80090036: ["it was cancelled", "key-locked"], // NTE_USER_CANCELLED
  0x800704c7: ["it was cancelled", "key-locked"], // ERROR_CANCELLED
  0x8010006e: ["it was cancelled", "key-locked"], // SCARD_W_CANCELLED_BY_USER
  0x8010006b: ["the smart card refused the PIN", "key-locked"], // SCARD_W_WRONG_CHV
  0x8010006c: [ // SCARD_W_CHV_BLOCKED
    "the smart card is blocked after too many wrong PINs; unblock it with its PUK",
    "key-locked",
  ],
  0x8010001d: ["the Smart Card service does not run"], // SCARD_E_NO_SERVICE
  0x80280803: ["the TPM is locked out for a while after wrong tries; wait"], // TPM_E_DEFEND_LOCK_RUNNING
  0x80280921: ["the TPM is locked out for a while after wrong tries; wait"], // TPM_20_E_LOCKOUT
  0x800706ba: ["the service of Windows that holds keys (CNG Key Isolation) does not run"],
};

/** Codes of silent calls for which Windows would have to open a window. */
export const UI_REQUIRED: readonly number[] = [0x80090022, 0x8009002e];

/** Codes of a smart card for a wrong PIN. */
export const WRONG_PIN: readonly number[] = [0x8010006b, 0x80090033];

/**
 * Returns the error for a failed call.
 *
 * @param failure the beginning of the message, such as "the key cannot be opened"
 * @param code GetLastError, SECURITY_STATUS or HRESULT; 0 if Windows set none
 */
export function windowsError(failure: string, code: number): HelperError {
  const [message, kind] = STATUS_MESSAGES[code >>> 0] ?? [];
  const number = `0x${(code >>> 0).toString(16).padStart(8, "0")}`;
  const why = message ??
    (code === 0 ? "Windows returned no error code" : `Windows error ${number}`);
  return new HelperError(
    kind ?? "key-unreadable",
    `${failure}: ${why}${message === undefined ? "" : ` (${number})`}`,
  );
}
