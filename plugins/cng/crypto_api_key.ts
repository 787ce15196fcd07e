/**
 * Keys of CryptoAPI, the predecessor of CNG: RSA keys of providers that CNG cannot use.
 *
 * @module
 */
import { rsaPublicNumbers } from "../../src/x509/public_key.ts";
import type { Digest } from "../../src/x509/verify_signature.ts";
import type { StoredCertificate } from "./certificate_store.ts";
import type { KeyHandle, KeyUse, PrivateKey } from "./key_types.ts";
import { type KeyProviderInfo, readKeyProviderInfo, wide } from "./layout.ts";
import { windowsError } from "./status.ts";

/** Hash functions by digest, `CALG_SHA_…`. */
const HASHES: Readonly<Record<Digest, number>> = {
  "SHA-256": 0x800c,
  "SHA-384": 0x800d,
  "SHA-512": 0x800e,
};
/** `HP_HASHVAL`. */
const HASH_VALUE = 2;
/** `CERT_KEY_PROV_INFO_PROP_ID`, a property of a certificate. */
const KEY_PROVIDER_INFO = 2;
/** `CRYPT_SILENT`. */
const SILENT = 0x40;
/** `CRYPT_MACHINE_KEYSET`. */
const MACHINE_KEYSET = 0x20;
/** `AT_KEYEXCHANGE` and `AT_SIGNATURE`, the two keys of a container. */
const KEY_SPECS = [1, 2];
/** Microsoft's provider with SHA-2. It reads the containers of Microsoft's older providers. */
const MODERN_PROVIDER = {
  name: "Microsoft Enhanced RSA and AES Cryptographic Provider",
  type: 24,
};
/** Providers without SHA-2: `PROV_RSA_FULL`, `PROV_RSA_SIG`, `PROV_RSA_SCHANNEL`. */
const OLD_PROVIDER_TYPES = [1, 2, 12];
/** Microsoft's software providers, whose containers are files. An empty name is the default one. */
const MICROSOFT_SOFTWARE = [
  "",
  "Microsoft Base Cryptographic Provider v1.0",
  "Microsoft Enhanced Cryptographic Provider v1.0",
  "Microsoft Strong Cryptographic Provider",
  "Microsoft RSA Signature Cryptographic Provider",
  "Microsoft RSA SChannel Cryptographic Provider",
];

/** Handle of a provider, and the keys that may sign. */
interface Provider {
  readonly handle: bigint;
  readonly keySpecs: readonly number[];
}

/** CryptoAPI key, always RSA. */
export class CryptoApiKey implements PrivateKey {
  readonly #key: KeyHandle;
  readonly #stored: StoredCertificate;
  readonly #use: KeyUse;
  #freed = false;

  constructor(key: KeyHandle, stored: StoredCertificate, use: KeyUse) {
    this.#key = key;
    this.#stored = stored;
    this.#use = use;
  }

  async sign(message: Uint8Array, digest: Digest): Promise<Uint8Array> {
    const hash = new Uint8Array(await crypto.subtle.digest(digest, new Uint8Array(message)));
    const { handle, keySpec } = this.#key;
    const first = this.#signWith({ handle, keySpecs: [keySpec] }, hash, digest);
    if (typeof first !== "number") return first;
    const second = this.#signWithModernProvider(hash, digest);
    if (second && typeof second !== "number") return second;
    throw windowsError(`the key for ${this.#use.displayName} does not sign`, second || first);
  }

  /** Returns the signature, or the error code. */
  #signWith(
    { handle, keySpecs }: Provider,
    hash: Uint8Array<ArrayBuffer>,
    digest: Digest,
  ): Uint8Array | number {
    const { windows, publicKey } = this.#use;
    const { advapi32 } = windows;
    const object = new BigUint64Array(1);
    const created = windows.attempt(() =>
      advapi32.CryptCreateHash(handle, HASHES[digest], 0n, 0, object)
    );
    if (!created.result) return created.code;
    const hashHandle = object[0] ?? 0n;
    try {
      const set = windows.attempt(() =>
        advapi32.CryptSetHashParam(hashHandle, HASH_VALUE, hash, 0)
      );
      if (!set.result) return set.code;
      let code = 0;
      for (const keySpec of keySpecs) {
        const signature = new Uint8Array(rsaPublicNumbers(publicKey.bits).modulus.length);
        const length = new Uint32Array([signature.length]);
        const signed = windows.attempt(() =>
          advapi32.CryptSignHashW(hashHandle, keySpec, null, 0, signature, length)
        );
        // CryptoAPI signatures are little-endian.
        if (signed.result) return signature.subarray(0, length[0]).reverse();
        code ||= signed.code;
      }
      return code;
    } finally {
      advapi32.CryptDestroyHash(hashHandle);
    }
  }

  /**
   * Signs with {@link MODERN_PROVIDER}. Windows imports PFX files into a provider without SHA-2
   * unless the file names another one. Returns undefined if the key cannot be moved.
   */
  #signWithModernProvider(
    hash: Uint8Array<ArrayBuffer>,
    digest: Digest,
  ): Uint8Array | number | undefined {
    const { windows, context, displayName } = this.#use;
    const info = this.#providerInfo();
    if (!info || !OLD_PROVIDER_TYPES.includes(info.type)) return undefined;
    if (!MICROSOFT_SOFTWARE.includes(info.provider)) return undefined;
    context.debug(`the key for ${displayName} is opened with ${MODERN_PROVIDER.name}`);
    const provider = new BigUint64Array(1);
    const acquired = windows.attempt(() =>
      windows.advapi32.CryptAcquireContextW(
        provider,
        wide(info.container),
        wide(MODERN_PROVIDER.name),
        MODERN_PROVIDER.type,
        SILENT | (info.flags & MACHINE_KEYSET),
      )
    );
    if (!acquired.result) return acquired.code;
    const handle = provider[0] ?? 0n;
    try {
      const keySpecs = KEY_SPECS.includes(info.keySpec) ? [info.keySpec] : KEY_SPECS;
      return this.#signWith({ handle, keySpecs }, hash, digest);
    } finally {
      windows.advapi32.CryptReleaseContext(handle, 0);
    }
  }

  #providerInfo(): KeyProviderInfo | undefined {
    const { CertGetCertificateContextProperty } = this.#use.windows.crypt32;
    const { context } = this.#stored;
    const length = new Uint32Array(1);
    if (!CertGetCertificateContextProperty(context, KEY_PROVIDER_INFO, null, length)) {
      return undefined;
    }
    const info = new Uint8Array(length[0] ?? 0);
    if (!CertGetCertificateContextProperty(context, KEY_PROVIDER_INFO, info, length)) {
      return undefined;
    }
    return readKeyProviderInfo(info);
  }

  [Symbol.dispose](): void {
    if (this.#freed) return;
    this.#freed = true;
    if (this.#key.callerFrees) {
      this.#use.windows.advapi32.CryptReleaseContext(this.#key.handle, 0);
    }
  }
}
