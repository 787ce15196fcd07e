/**
 * PIN cache of this process, in memory only. It has accepted PINs, so that a refresh does not
 * prompt again. It has rejected PINs, so that none is sent twice.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { RejectedSecrets } from "../../../src/keystore/secret_prompt.ts";
import type { TokenInfo } from "../cryptoki/structures.ts";

/** PINs by cache key (see {@link pinCacheKey}): of a token, or of one of its keys. */
export class PinCache {
  readonly #accepted = new Map<string, Uint8Array>();
  readonly #rejected = new RejectedSecrets();

  /** Returns a copy of the accepted PIN. */
  get(key: string): Uint8Array | undefined {
    const pin = this.#accepted.get(key);
    return pin && Uint8Array.from(pin);
  }

  /** Stores a PIN that the token accepted. */
  set(key: string, pin: Uint8Array): void {
    this.delete(key);
    this.#accepted.set(key, Uint8Array.from(pin));
  }

  /** Wipes and removes the accepted PIN. */
  delete(key: string): void {
    this.#accepted.get(key)?.fill(0);
    this.#accepted.delete(key);
  }

  /** Records that the token rejected this PIN. */
  async markRejected(key: string, pin: Uint8Array): Promise<void> {
    this.delete(key);
    await this.#rejected.add(key, pin);
  }

  /** Returns true if the token rejected this PIN. */
  async isRejected(key: string, pin: string | Uint8Array): Promise<boolean> {
    return await this.#rejected.has(key, pin);
  }
}

/** Returns the cache key of a token, from all its names, or of its key `objectId`, a CKA_ID. */
export function pinCacheKey(info: TokenInfo, objectId?: Uint8Array): string {
  const token = [info.manufacturer, info.model, info.serial, info.label].map((text) =>
    encodeHex(text)
  );
  return [...token, objectId ? `key ${encodeHex(objectId)}` : "user"].join(" ");
}
