/**
 * Finding any twelve consecutive characters of a secret in a text.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { encodeHex } from "@std/encoding/hex";

/** A shorter piece of a secret can be in a text by chance. */
const WINDOW = 12;

/** The pieces of some secrets. */
export class SecretWindows {
  readonly #names = new Map<string, string>();

  /** Adds a secret text; `name` is what a failed test calls it. Texts below 12 characters throw. */
  addText(name: string, text: string): this {
    if (text.length < WINDOW) throw new Error(`${name} is too short to look for`);
    for (let i = 0; i + WINDOW <= text.length; i++) {
      const piece = text.slice(i, i + WINDOW);
      // Line ends differ between a file and a message: pieces across them are of no use.
      if (!/[\r\n]/.test(piece)) this.#names.set(piece, name);
    }
    return this;
  }

  /** Adds secret bytes as text, hex and base64, wherever in a longer encoding they begin. */
  addBytes(name: string, bytes: Uint8Array): this {
    const hex = encodeHex(bytes);
    this.addText(`${name} in hex`, hex).addText(`${name} in hex`, hex.toUpperCase());
    for (let before = 0; before < 3; before++) {
      const shifted = encodeBase64(Uint8Array.of(...new Uint8Array(before), ...bytes));
      // The first and last group of four hold other bits, too.
      this.addText(`${name} in base64`, shifted.slice(4, -4));
    }
    return this;
  }

  /** Removes the pieces that a public text holds, too. */
  except(text: string): this {
    for (let i = 0; i + WINDOW <= text.length; i++) this.#names.delete(text.slice(i, i + WINDOW));
    return this;
  }

  /** Returns the name of the first secret that the text holds a piece of. */
  findIn(text: string): string | undefined {
    for (let i = 0; i + WINDOW <= text.length; i++) {
      const name = this.#names.get(text.slice(i, i + WINDOW));
      if (name !== undefined) return name;
    }
    return undefined;
  }
}
