/**
 * What this process knows about PINs: those that were right, so that nobody is asked again at the
 * next refresh, and those that were refused, so that none is sent twice. It is kept in memory alone.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { RejectedSecrets } from "../../../src/keystore/secret_prompt.ts";
import type { TokenInfo } from "../cryptoki/structures.ts";

/** PINs by lock: a token's own, or that of one of its keys. */
export class PinCache {
  readonly #accepted = new Map<string, Uint8Array>();
  readonly #rejected = new RejectedSecrets();

  /** A copy of the PIN that was right for this lock. */
  get(target: string): Uint8Array | undefined {
    const pin = this.#accepted.get(target);
    return pin && Uint8Array.from(pin);
  }

  /** Keeps a PIN that the token has accepted. */
  set(target: string, pin: Uint8Array): void {
    this.delete(target);
    this.#accepted.set(target, Uint8Array.from(pin));
  }

  /** Drops the PIN of a lock. */
  delete(target: string): void {
    this.#accepted.get(target)?.fill(0);
    this.#accepted.delete(target);
  }

  /** Keeps in mind that the token has refused this PIN. */
  async markRejected(target: string, pin: Uint8Array): Promise<void> {
    this.delete(target);
    await this.#rejected.add(target, pin);
  }

  /** Whether the token has refused this PIN. */
  async isRejected(target: string, pin: Uint8Array): Promise<boolean> {
    return await this.#rejected.has(target, pin);
  }
}

/** What a PIN opens: a token, known by all it says about itself, or a key in it by its CKA_ID. */
export function pinCacheKey(info: TokenInfo, key?: Uint8Array): string {
  const token = [info.manufacturer, info.model, info.serial, info.label].map((text) =>
    encodeHex(text)
  );
  return [...token, key ? `key ${encodeHex(key)}` : "user"].join(" ");
}
