/**
 * Private key of an identity.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import type { StoreKey } from "../../src/keystore/os_store/key.ts";
import type { KeystoreContext } from "../../src/keystore/types.ts";
import type { Digest } from "../../src/x509/verify_signature.ts";
import type { CFObject, Frameworks } from "./frameworks.ts";
import type { StoredIdentity } from "./identities.ts";
import { INTERACTION_REQUIRED, keychainError } from "./status.ts";
import { unlockKeychainOf } from "./unlock.ts";

/** `kSecKeyOperationTypeSign`. */
const SIGN = 0n;

/** Signature algorithms by key type and hash function. */
const ALGORITHMS = {
  RSA: {
    "SHA-256": "kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA256",
    "SHA-384": "kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA384",
    "SHA-512": "kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA512",
  },
  EC: {
    "SHA-256": "kSecKeyAlgorithmECDSASignatureDigestX962SHA256",
    "SHA-384": "kSecKeyAlgorithmECDSASignatureDigestX962SHA384",
    "SHA-512": "kSecKeyAlgorithmECDSASignatureDigestX962SHA512",
  },
} as const satisfies Record<string, Record<Digest, string>>;

/** Context of a key's use. */
export interface KeyUse {
  readonly frameworks: Frameworks;
  readonly publicKey: StoreKey;
  /** Name of the identity in messages. */
  readonly displayName: string;
  readonly context: KeystoreContext;
}

/** Private key. Its object lives as long as the stack it was opened with. */
export class PrivateKey {
  readonly #key: CFObject;
  readonly #use: KeyUse;

  private constructor(key: CFObject, use: KeyUse) {
    this.#key = key;
    this.#use = use;
  }

  /**
   * Opens the key of an identity. Unlocks its keychain if `--keychain-password` is given. Throws a
   * `key-…` error for a macOS error code.
   */
  static async open(
    { identity }: StoredIdentity,
    use: KeyUse,
    stack: DisposableStack,
  ): Promise<PrivateKey> {
    const { frameworks, displayName, context } = use;
    const { status, object } = frameworks.copy(
      stack,
      (result) => frameworks.security.SecIdentityCopyPrivateKey(identity, result),
    );
    if (!object) throw keychainError(`the private key for ${displayName} cannot be opened`, status);
    await unlockKeychainOf(frameworks, object, context, "secret");
    return new PrivateKey(object, use);
  }

  /** Signs the digest of `message`: PKCS#1 v1.5 for RSA, DER `r, s` for EC. */
  async sign(message: Uint8Array, digest: Digest): Promise<Uint8Array> {
    const hash = new Uint8Array(await crypto.subtle.digest(digest, new Uint8Array(message)));
    const first = await this.#signHash(hash, digest);
    if (first instanceof Uint8Array) return first;
    const { frameworks, context, displayName } = this.#use;
    const mayUnlock = INTERACTION_REQUIRED.includes(first.code);
    if (
      mayUnlock && await unlockKeychainOf(frameworks, this.#key, context, "secret or prompt")
    ) {
      const second = await this.#signHash(hash, digest);
      if (second instanceof Uint8Array) return second;
      throw keychainError(`the key for ${displayName} does not sign`, second.code, second.domain);
    }
    throw keychainError(`the key for ${displayName} does not sign`, first.code, first.domain);
  }

  async #signHash(
    hash: Uint8Array<ArrayBuffer>,
    digest: Digest,
  ): Promise<Uint8Array | { code: number; domain: string }> {
    using stack = new DisposableStack();
    const { frameworks, publicKey, displayName } = this.#use;
    const { security } = frameworks;
    const algorithm = frameworks.constant(ALGORITHMS[publicKey.keyType][digest]);
    if (!security.SecKeyIsAlgorithmSupported(this.#key, SIGN, algorithm)) {
      throw new HelperError(
        "key-unsupported",
        `the key for ${displayName} does not make ${publicKey.keyType} signatures with ${digest}`,
      );
    }
    const data = frameworks.data(hash, stack);
    const error = new BigUint64Array(1);
    const made = await security.SecKeyCreateSignature(this.#key, algorithm, data, error);
    // The call on another thread writes to `error`, which must stay alive until here.
    const failure = frameworks.track(Deno.UnsafePointer.create(error[0] ?? 0n), stack);
    const signature = frameworks.track(made, stack);
    if (signature) return frameworks.bytesOf(signature);
    if (!failure) return { code: 0, domain: "" };
    const { CFErrorGetCode, CFErrorGetDomain } = frameworks.coreFoundation;
    return {
      code: Number(CFErrorGetCode(failure)),
      domain: frameworks.textOf(CFErrorGetDomain(failure)),
    };
  }
}
