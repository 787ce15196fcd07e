/**
 * Removes environment variables from the base binary that the runtime reads before the program's first
 * line, when the program cannot remove them yet.
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
  for (const name of earlyVariables(target)) {
    let found = 0;
    for (let at = -1; (at = changed.indexOf(name, at + 1, "latin1")) >= 0; found++) {
      changed[at] = 0;
    }
    if (found === 0) {
      throw new Error(
        `the base binary does not contain the name ${name}; correct src/runtime/variables.ts`,
      );
    }
  }
  return changed;
}

/** Returns the variables whose names are changed for a target of `deno compile`. */
export function earlyVariables(target: string): readonly string[] {
  return Object.entries(RUNTIME_VARIABLES)
    .filter(([, { handling, linuxOnly }]) =>
      handling === "renamed" && (!linuxOnly || target.includes("linux"))
    )
    .map(([name]) => name)
    // A name can be the prefix of another one.
    .toSorted((a, b) => b.length - a.length);
}
