/**
 * Removes environment variables from the base binary. The runtime reads them before the program's
 * first line, when the program cannot remove them yet.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { RUNTIME_VARIABLES } from "../../src/runtime/variables.ts";

/**
 * Returns the base binary with the first letter of each name replaced by NUL. No environment can contain
 * such a name, and Rust's library returns "not set" for it.
 *
 * Throws if a name is missing: another version of the runtime may read it in another way.
 */
export function withoutEarlyVariables(base: Uint8Array, target: string): Uint8Array<ArrayBuffer> {
  const changed = Buffer.from(base);
  const text = new TextDecoder("latin1").decode(changed);
  for (const name of earlyVariables(target)) {
    const found = positions(text, name, name);
    for (const at of found) changed[at] = 0;
    if (found.length === 0) {
      throw new Error(
        `the base binary does not contain the name ${name}; correct src/runtime/variables.ts`,
      );
    }
  }
  return changed;
}

/** Returns the base binary with the first letters that {@link withoutEarlyVariables} replaced. */
export function withEarlyVariables(changed: Uint8Array, target: string): Uint8Array<ArrayBuffer> {
  const base = Buffer.from(changed);
  const text = new TextDecoder("latin1").decode(base);
  for (const name of earlyVariables(target)) {
    for (const at of positions(text, `\0${name.slice(1)}`, name)) base.write(name, at, "latin1");
  }
  return base;
}

/**
 * Returns all positions of `written`, a variable's name with or without its first letter. A name that
 * only C or Rust reads is left in JavaScript and in V8's snapshot. C's names are between two NULs, Rust's
 * names between other letters.
 */
function positions(text: string, written: string, name: string): number[] {
  const reader = RUNTIME_VARIABLES[name]?.reader;
  const found: number[] = [];
  // A string is searched 10 times faster than a Buffer.
  for (let at = -1; (at = text.indexOf(written, at + 1)) >= 0;) {
    const around = [text[at - 1], text[at + written.length]];
    if (reader === "C" && !around.every((character) => character === "\0")) continue;
    if (reader === "Rust" && around.some((character) => character === "\0" || character === '"')) {
      continue;
    }
    found.push(at);
  }
  return found;
}

/** Returns the variables whose names are changed for a target of `deno compile`. */
export function earlyVariables(target: string): readonly string[] {
  return Object.entries(RUNTIME_VARIABLES)
    .filter(([, { handling, targets }]) =>
      handling === "renamed" && (targets?.test(target) ?? true)
    )
    .map(([name]) => name)
    // A name can be the prefix of another one.
    .toSorted((a, b) => b.length - a.length);
}
