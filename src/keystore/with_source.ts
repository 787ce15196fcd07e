/**
 * Names the source of a URI in the errors of its keystore.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import type { KeystoreUri } from "./uri.ts";

/** Runs `work` with the source of a URI. Its errors begin with a variable or setting, if the user typed no flag. */
export async function withSource<T>(
  { source, displayName }: KeystoreUri,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const isAbout = cause instanceof HelperError && cause.message.startsWith(displayName);
    if (source === undefined || !isAbout) throw cause;
    throw new HelperError(cause.code, `${source}: ${cause.message}`, { cause });
  }
}
