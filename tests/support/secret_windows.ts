/**
 * Finds any twelve consecutive characters of a secret in a text.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { encodeHex } from "@std/encoding/hex";

/** Length of a piece: a shorter one can be in a text by chance. */
const WINDOW = 12;

/** The pieces of some secrets. */
export class SecretWindows {
  readonly #names = new Map<string, string>();

  /** Adds a secret text, with a name for failed tests. Throws for texts below 12 characters. */
  addText(name: string, text: string): this {
    if (text.length < WINDOW) throw new Error(`${name} is too short to look for`);
    for (let i = 0; i + WINDOW <= text.length; i++) {
      const piece = text.slice(i, i + WINDOW);
      // Line ends differ between a file and a message: skip pieces across them.
      if (!/[\r\n]/.test(piece)) this.#names.set(piece, name);
    }
    return this;
  }

  /** Adds secret bytes as text, hex and base64, at any offset in a longer encoding. */
  addBytes(name: string, bytes: Uint8Array): this {
    const hex = encodeHex(bytes);
    this.addText(`${name} in hex`, hex).addText(`${name} in hex`, hex.toUpperCase());
    for (let before = 0; before < 3; before++) {
      const shifted = encodeBase64(Uint8Array.of(...new Uint8Array(before), ...bytes));
      // The first and last group of four contain other bits, too.
      this.addText(`${name} in base64`, shifted.slice(4, -4));
    }
    return this;
  }

  /** Removes the pieces that a public text also contains. */
  except(text: string): this {
    for (let i = 0; i + WINDOW <= text.length; i++) this.#names.delete(text.slice(i, i + WINDOW));
    return this;
  }

  /** Returns the name of the first secret of which the text contains a piece. */
  findIn(text: string): string | undefined {
    for (let i = 0; i + WINDOW <= text.length; i++) {
      const name = this.#names.get(text.slice(i, i + WINDOW));
      if (name !== undefined) return name;
    }
    return undefined;
  }
}
