/**
 * Line editor for input without echo, key by key.
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

/** Maximum length of a line, units. A paste may be endless. */
const MAX_UNITS = 65_536;

/** Encoding of typed characters. */
export interface TypedEncoding {
  /** Returns true if a unit (a byte or a UTF-16 unit) continues the previous character. */
  isContinuation(unit: number): boolean;
  /** Key that ends the input at the beginning of a line. */
  readonly endOfInput: number;
}

/** A line that is being typed. */
export class LineEditor {
  readonly #encoding: TypedEncoding;
  readonly #typed: number[] = [];

  constructor(encoding: TypedEncoding) {
    this.#encoding = encoding;
  }

  /**
   * Adds one unit, and returns the state of the line. Throws `interrupted` on Ctrl-C. Throws `key-locked` at the
   * end of input, and for a line that is too long.
   */
  type(unit: number): "more" | "done" {
    const typed = this.#typed;
    if (unit === KEY.enter || unit === KEY.lineFeed) return "done";
    if (unit === KEY.interrupt) throw interruptedError();
    if (unit === this.#encoding.endOfInput && typed.length === 0) throw noEntryError();
    if (unit === KEY.backspace || unit === KEY.delete) this.#erase();
    else if (unit === KEY.kill) this.clear();
    else if (unit >= 0x20) {
      if (typed.length === MAX_UNITS) throw tooLongError();
      typed.push(unit);
    }
    return "more";
  }

  /** Removes the last character: its leading unit and the units that continue it. */
  #erase(): void {
    let removed = this.#typed.pop();
    while (removed !== undefined && this.#encoding.isContinuation(removed)) {
      removed = this.#typed.pop();
    }
  }

  /** Returns the units of the line, and erases them. */
  take(): number[] {
    const line = [...this.#typed];
    this.clear();
    return line;
  }

  /** Erases the line. */
  clear(): void {
    this.#typed.fill(0).length = 0;
  }
}

function noEntryError(): HelperError {
  return new HelperError(
    "key-locked",
    "the prompt ended without an entry; run again, or set the secret by a flag",
  );
}

function tooLongError(): HelperError {
  return new HelperError(
    "key-locked",
    `more than ${MAX_UNITS} bytes were typed; run again, or set the secret by a flag`,
  );
}

/** Returns the error for Ctrl-C or a signal at a prompt. */
export function interruptedError(): HelperError {
  return new HelperError("interrupted", "interrupted at a prompt; nothing was changed");
}
