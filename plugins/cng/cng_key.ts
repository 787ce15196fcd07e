/**
 * Keys of the Cryptography API: Next Generation: in software, in the TPM (the platform crypto
 * provider) and on smart cards.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { HelperError } from "../../src/errors.ts";
import { RejectedSecrets } from "../../src/keystore/secret_prompt.ts";
import { ecdsaSignatureToDer } from "../../src/x509/der.ts";
import { rsaPublicNumbers } from "../../src/x509/public_key.ts";
import type { Digest } from "../../src/x509/verify_signature.ts";
import type { KeyHandle, KeyUse, PrivateKey } from "./key_types.ts";
import { pkcs1Padding, wide } from "./layout.ts";
import { UI_REQUIRED, windowsError, WRONG_PIN } from "./status.ts";

/** `NCRYPT_SILENT_FLAG`. */
const SILENT = 0x40;
/** `BCRYPT_PAD_PKCS1`. */
const PKCS1 = 0x2;
/** `NCRYPT_IMPL_REMOVABLE_FLAG`: the key is on a smart card. */
const REMOVABLE = 0x8;
/** Hash functions by their CNG names. */
const HASHES: Readonly<Record<Digest, string>> = {
  "SHA-256": "SHA256",
  "SHA-384": "SHA384",
  "SHA-512": "SHA512",
};

/** PINs that smart cards rejected, by the key: `serve` and `update` open it again at each attempt. */
const REJECTED_PINS = new RejectedSecrets();

/** CNG key. */
export class CngKey implements PrivateKey {
  readonly #key: KeyHandle;
  readonly #use: KeyUse;
  #freed = false;

  constructor(key: KeyHandle, use: KeyUse) {
    this.#key = key;
    this.#use = use;
  }

  async sign(message: Uint8Array, digest: Digest): Promise<Uint8Array> {
    const hash = new Uint8Array(await crypto.subtle.digest(digest, new Uint8Array(message)));
    let { status, signature } = await this.#signHash(hash, digest);
    if (UI_REQUIRED.includes(status)) {
      const pin = await this.#setPin();
      if (pin !== undefined) ({ status, signature } = await this.#signHash(hash, digest));
      if (pin !== undefined && WRONG_PIN.includes(status)) await this.#reject(pin);
    }
    if (status !== 0) {
      throw windowsError(`the key for ${this.#use.displayName} does not sign`, status);
    }
    return this.#use.publicKey.keyType === "EC" ? ecdsaSignatureToDer(signature) : signature;
  }

  async #signHash(
    hash: Uint8Array<ArrayBuffer>,
    digest: Digest,
  ): Promise<{ status: number; signature: Uint8Array }> {
    const isRsa = this.#use.publicKey.keyType === "RSA";
    const algorithm = wide(HASHES[digest]);
    const padding = isRsa ? pkcs1Padding(algorithm) : null;
    const signature = new Uint8Array(this.#signatureBytes());
    const length = new Uint32Array(1);
    // deno-fmt-ignore
    const status = await this.#use.windows.ncrypt.NCryptSignHash(
      this.#key.handle, padding, hash, hash.length, signature, signature.length, length,
      isRsa ? SILENT | PKCS1 : SILENT,
    );
    // The call runs on another thread. These references keep its buffers alive until here.
    const inUse = [algorithm, padding, hash, signature, length];
    inUse.length = 0;
    return { status, signature: signature.subarray(0, length[0]) };
  }

  /** Returns the length of a signature: `r || s` for EC, the modulus for RSA. */
  #signatureBytes(): number {
    const { curve, bits } = this.#use.publicKey;
    return curve ? 2 * curve.coordinateBytes : rsaPublicNumbers(bits).modulus.length;
  }

  /**
   * Sets a smart card's PIN once, from its flag or a prompt. Returns it; undefined if there is none.
   * Throws `key-locked` for one that the card rejected before: a card blocks after a few wrong PINs.
   */
  async #setPin(): Promise<string | undefined> {
    const { context, displayName, windows } = this.#use;
    if (!this.#isOnSmartCard()) return undefined;
    const pin = (await context.secret("context-pin"))?.text ??
      await context.prompt(`PIN of the smart card for ${displayName}: `);
    if (pin === undefined) return undefined;
    if (await REJECTED_PINS.has(this.#name, pin)) {
      throw new HelperError(
        "key-locked",
        `${displayName}: the smart card rejected this PIN before; start again with the right PIN`,
      );
    }
    const value = wide(pin);
    try {
      const status = windows.ncrypt.NCryptSetProperty(
        this.#key.handle,
        wide("SmartCardPin"),
        new Uint8Array(value.buffer),
        value.byteLength,
        SILENT,
      );
      if (status === 0) return pin;
      const isWrong = WRONG_PIN.includes(status);
      if (isWrong) await this.#reject(pin);
      throw windowsError(
        `the smart card with the key for ${displayName} does not take ${isWrong ? "the" : "a"} PIN`,
        status,
      );
    } finally {
      value.fill(0);
    }
  }

  async #reject(pin: string): Promise<void> {
    await REJECTED_PINS.add(this.#name, pin);
  }

  /** Name of the key among those with rejected PINs. */
  get #name(): string {
    return encodeHex(this.#use.publicKey.bits);
  }

  #isOnSmartCard(): boolean {
    const type = new Uint32Array(1);
    const status = this.#use.windows.ncrypt.NCryptGetProperty(
      this.#key.handle,
      wide("Impl Type"),
      new Uint8Array(type.buffer),
      type.byteLength,
      new Uint32Array(1),
      SILENT,
    );
    return status === 0 && ((type[0] ?? 0) & REMOVABLE) !== 0;
  }

  [Symbol.dispose](): void {
    if (this.#freed) return;
    this.#freed = true;
    if (this.#key.callerFrees) this.#use.windows.ncrypt.NCryptFreeObject(this.#key.handle);
  }
}
