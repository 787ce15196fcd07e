/**
 * Common interface of CNG and CryptoAPI keys.
 *
 * @module
 */
import type { KeystoreContext } from "../../src/keystore/types.ts";
import type { PublicKey } from "../../src/x509/public_key.ts";
import type { Digest } from "../../src/x509/verify_signature.ts";
import type { Windows } from "./libraries.ts";

/** Handle from CryptAcquireCertificatePrivateKey. */
export interface KeyHandle {
  readonly handle: bigint;
  readonly keySpec: number;
  readonly callerFrees: boolean;
}

/** Private key that signs messages. */
export interface PrivateKey extends Disposable {
  /** Signs `message`. Returns the signature in the form of a keystore's signer. */
  sign(message: Uint8Array, digest: Digest): Promise<Uint8Array>;
}

/** Context of a key's use. */
export interface KeyUse {
  readonly windows: Windows;
  readonly publicKey: PublicKey;
  /** Name of the certificate in messages. */
  readonly displayName: string;
  readonly context: KeystoreContext;
}
