/**
 * Gathering a line that is typed without echo, key by key.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";

const KEY = {
  interrupt: 3,
  backspace: 8,
  lineFeed: 10,
  enter: 13,
  kill: 21,
  delete: 127,
};

/** How a terminal encodes what is typed. */
export interface TypedEncoding {
  /** Whether a unit (a byte, a UTF-16 unit) goes on with the character before it. */
  isContinuation(unit: number): boolean;
  /** The key that ends the input at the beginning of a line. */
  readonly endOfInput: number;
}

/** A line while it is typed. */
export class LineEditor {
  readonly #encoding: TypedEncoding;
  readonly #typed: number[] = [];

  constructor(encoding: TypedEncoding) {
    this.#encoding = encoding;
  }

  /** Takes one unit; says whether the line goes on. Throws `interrupted` on Ctrl-C. */
  type(unit: number): "more" | "done" | "end of input" {
    const typed = this.#typed;
    if (unit === KEY.enter || unit === KEY.lineFeed) return "done";
    if (unit === KEY.interrupt) throw interrupted();
    if (unit === this.#encoding.endOfInput && typed.length === 0) return "end of input";
    if (unit === KEY.backspace || unit === KEY.delete) this.#erase();
    else if (unit === KEY.kill) typed.length = 0;
    else if (unit >= 0x20) typed.push(unit);
    return "more";
  }

  /** Takes a whole character off: the units that go on with it and the one that leads them. */
  #erase(): void {
    let removed = this.#typed.pop();
    while (removed !== undefined && this.#encoding.isContinuation(removed)) {
      removed = this.#typed.pop();
    }
  }

  /** The units of the line; forgets them. */
  take(): number[] {
    const line = [...this.#typed];
    this.#typed.fill(0).length = 0;
    return line;
  }
}

/** The error for Ctrl-C or a signal at a prompt. */
export function interrupted(): HelperError {
  return new HelperError("interrupted", "interrupted at a prompt; nothing was done");
}
