/**
 * Private key of a certificate in the store, a CNG or CryptoAPI key.
 *
 * @module
 */
import type { StoredCertificate } from "./certificate_store.ts";
import { CngKey } from "./cng_key.ts";
import { CryptoApiKey } from "./crypto_api_key.ts";
import type { KeyUse, PrivateKey } from "./key_types.ts";
import { windowsError } from "./status.ts";

/**
 * `CRYPT_ACQUIRE_COMPARE_KEY_FLAG | CRYPT_ACQUIRE_SILENT_FLAG | CRYPT_ACQUIRE_PREFER_NCRYPT_KEY_FLAG`:
 * refuses the key of another certificate, opens no window, and uses CNG for every key that it
 * supports.
 */
const ACQUIRE = 0x4 | 0x40 | 0x2_0000;
/** `CERT_NCRYPT_KEY_SPEC`: the handle is a CNG handle. */
const CNG_KEY_SPEC = 0xffff_ffff;

/** Opens the key. Throws a `key-…` error for a Windows error code. */
export function acquirePrivateKey(stored: StoredCertificate, use: KeyUse): PrivateKey {
  const { windows, displayName, context } = use;
  const handle = new BigUint64Array(1);
  const keySpec = new Uint32Array(1);
  const callerFrees = new Int32Array(1);
  const { result, code } = windows.attempt(() =>
    // deno-fmt-ignore
    windows.crypt32.CryptAcquireCertificatePrivateKey(
      stored.context, ACQUIRE, null, handle, keySpec, callerFrees,
    )
  );
  if (!result) throw windowsError(`the private key for ${displayName} cannot be opened`, code);
  const key = {
    handle: handle[0] ?? 0n,
    keySpec: keySpec[0] ?? 0,
    callerFrees: callerFrees[0] !== 0,
  };
  const isCng = key.keySpec === CNG_KEY_SPEC;
  context.debug(`the key for ${displayName} is a ${isCng ? "CNG" : "CryptoAPI"} key`);
  return isCng ? new CngKey(key, use) : new CryptoApiKey(key, stored, use);
}
