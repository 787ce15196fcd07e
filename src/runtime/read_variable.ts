/**
 * Reads environment variables.
 *
 * @module
 */
import { HelperError } from "../errors.ts";

/**
 * Returns the value of a variable, or undefined if it is not set. Throws a {@link HelperError}
 * `usage` for a value that is not UTF-8. It has no cause, because the runtime's error has the
 * value.
 */
export function readVariable(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.InvalidData)) throw thrown;
    throw new HelperError("usage", `${name}: the variable is not UTF-8 text; correct or unset it`);
  }
}
