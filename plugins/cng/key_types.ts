/**
 * Common interface of CNG and CryptoAPI keys.
 *
 * @module
 */
import type { Digest, KeystoreContext } from "../../src/keystore/types.ts";
import type { PublicKey } from "../../src/x509/public_key.ts";
import type { Windows } from "./libraries.ts";

/** A handle as CryptAcquireCertificatePrivateKey gives it. */
export interface KeyHandle {
  readonly handle: bigint;
  readonly keySpec: number;
  readonly callerFrees: boolean;
}

/** A private key that signs messages. */
export interface PrivateKey extends Disposable {
  /** The signature in the form that a keystore's signer gives. */
  sign(message: Uint8Array, digest: Digest): Promise<Uint8Array>;
}

/** Context of a key's use. */
export interface KeyUse {
  readonly windows: Windows;
  readonly publicKey: PublicKey;
  /** How messages name the certificate. */
  readonly displayName: string;
  readonly context: KeystoreContext;
}
