/**
 * Messages for macOS error codes (SecBase.h, and the error domains of SecKey).
 *
 * @module
 */
import { type ErrorCode, HelperError } from "../../src/errors.ts";

/** Message of an error code, and the program's error code if it is not `key-unreadable`. */
type StatusMessage = readonly [message: string, code?: ErrorCode];

/** `errSecSuccess`. */
export const SUCCESS = 0;
/** `errSecItemNotFound`. */
export const ITEM_NOT_FOUND = -25300;
/** Codes of calls for which macOS would have to prompt the user, and cannot. */
export const INTERACTION_REQUIRED: readonly number[] = [-25308, -25315, -2070];

const CANCELLED: StatusMessage = ["it was cancelled", "key-locked"];
const NO_INTERACTION: StatusMessage = [
  "the keychain is locked or requires the user's consent, and macOS cannot prompt here; unlock it " +
  "(security unlock-keychain), set its password with --keychain-password, or allow this program " +
  "to use the key (security import -T)",
  "key-locked",
];
const GONE: StatusMessage = [
  "the identity is no longer in the keychain; import it again",
  "key-not-found",
];
const NO_ACCESS: StatusMessage = [
  "this program may not use the key; allow it in Keychain Access (Access Control) or import the " +
  "identity again with security import -T",
  "key-unreadable",
];

const STATUS_MESSAGES: Readonly<Record<number, StatusMessage>> = {
  [-128]: CANCELLED, // errSecUserCanceled
  [-25308]: NO_INTERACTION, // errSecInteractionNotAllowed
  [-25315]: NO_INTERACTION, // errSecInteractionRequired
  [-2070]: NO_INTERACTION, // errSecInternalComponent: a locked keychain over SSH
  [-25293]: ["the password is wrong", "key-locked"], // errSecAuthFailed
  [-25300]: GONE, // errSecItemNotFound
  [-25304]: GONE, // errSecInvalidItemRef
  [-25243]: NO_ACCESS, // errSecNoAccessForItem
  [-61]: NO_ACCESS, // errSecWrPerm
  [-34018]: NO_ACCESS, // errSecMissingEntitlement
  [-25291]: ["no keychain is available; log in on this machine first"], // errSecNotAvailable
  [-25294]: ["the keychain does not exist", "key-not-found"], // errSecNoSuchKeychain
  [-25295]: ["the keychain file is damaged"], // errSecInvalidKeychain
  [-25307]: ["this user has no default keychain; log in on this machine once"], // errSecNoDefaultKeychain
  [-25292]: ["the keychain is read-only"], // errSecReadOnly
  [-4]: ["this kind of signature is not available", "key-unsupported"], // errSecUnimplemented
  [-50]: ["the key does not accept the parameters", "key-unsupported"], // errSecParam
  [-67585]: ["the macOS key service (securityd) does not respond"], // errSecServiceNotAvailable
};

/** Codes of other domains. */
const DOMAIN_MESSAGES: Readonly<Record<string, Readonly<Record<number, StatusMessage>>>> = {
  "com.apple.LocalAuthentication": {
    [-1]: ["the user was not recognised", "key-locked"], // LAErrorAuthenticationFailed
    [-2]: CANCELLED, // LAErrorUserCancel
    [-4]: CANCELLED, // LAErrorSystemCancel
    [-1004]: NO_INTERACTION, // LAErrorNotInteractive
  },
  CryptoTokenKit: {
    [-4]: CANCELLED, // TKErrorCodeCanceledByUser
    [-5]: ["the smart card refused the PIN", "key-locked"], // TKErrorCodeAuthenticationFailed
    [-6]: ["the key is not on the smart card", "key-not-found"], // TKErrorCodeObjectNotFound
    [-9]: NO_INTERACTION, // TKErrorCodeAuthenticationNeeded
    [-7]: ["the smart card is not there; insert it and try again", "key-not-found"], // TKErrorCodeTokenNotFound
  },
};

/**
 * Returns the error for an OSStatus, or for the code of a CFError in its domain.
 *
 * @param failure the beginning of the message, such as "the key cannot be opened"
 */
export function keychainError(failure: string, code: number, domain = ""): HelperError {
  const messages = DOMAIN_MESSAGES[domain] ?? STATUS_MESSAGES;
  const [message, kind] = messages[code] ?? [];
  const number = domain === "" || domain === "NSOSStatusErrorDomain"
    ? String(code)
    : `${domain} ${code}`;
  return new HelperError(
    kind ?? "key-unreadable",
    message === undefined
      ? `${failure}: macOS error ${number}`
      : `${failure}: ${message} (${number})`,
  );
}
