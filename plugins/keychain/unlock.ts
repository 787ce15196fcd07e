/**
 * Unlocks the keychain of a key.
 *
 * @module
 */
import type { KeystoreContext } from "../../src/keystore/types.ts";
import type { CFObject, Frameworks } from "./frameworks.ts";
import { keychainError, SUCCESS } from "./status.ts";

/** `kSecUnlockStateStatus`. */
const UNLOCKED = 1;
/** `PATH_MAX` of macOS. */
const MAX_PATH_BYTES = 1024;

/** Sources of the keychain's password. */
export type Source = "secret" | "secret or prompt";

/**
 * Unlocks the keychain of `item` if it is locked, with `--keychain-password` or a prompt. Tries a
 * password once. Returns true if it unlocked a keychain. A key on a smart card or in the Secure
 * Enclave has no keychain file.
 *
 * Throws `key-locked` if the password is wrong.
 */
export async function unlockKeychainOf(
  frameworks: Frameworks,
  item: CFObject,
  context: KeystoreContext,
  source: Source,
): Promise<boolean> {
  using stack = new DisposableStack();
  const { security } = frameworks;
  const { object: keychain } = frameworks.copy(
    stack,
    (result) => security.SecKeychainItemCopyKeychain(item, result),
  );
  if (!keychain) return false;
  const state = new Uint32Array(1);
  if (security.SecKeychainGetStatus(keychain, state) !== SUCCESS) return false;
  if (((state[0] ?? 0) & UNLOCKED) !== 0) return false;

  const name = nameOf(frameworks, keychain);
  const given = await context.secret("keychain-password");
  const password = given?.text ??
    (source === "secret" ? undefined : await context.prompt(`Password of the keychain ${name}: `));
  if (password === undefined) return false;
  const bytes = new TextEncoder().encode(password);
  try {
    const status = security.SecKeychainUnlock(keychain, bytes.length, bytes, 1);
    if (status !== SUCCESS) {
      const by = given ? ` with ${given.source}` : "";
      throw keychainError(`the keychain ${name} cannot be unlocked${by}`, status);
    }
  } finally {
    bytes.fill(0);
  }
  context.debug(`the keychain ${name} was unlocked`);
  return true;
}

function nameOf(frameworks: Frameworks, keychain: CFObject): string {
  const length = new Uint32Array([MAX_PATH_BYTES]);
  const path = new Uint8Array(MAX_PATH_BYTES);
  const status = frameworks.security.SecKeychainGetPath(keychain, length, path);
  if (status !== SUCCESS) return "of this key";
  return new TextDecoder().decode(path.subarray(0, length[0])).split("/").at(-1) ?? "";
}
