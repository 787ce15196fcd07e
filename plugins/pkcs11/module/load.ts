/**
 * Loading one module, and the sentences for those that cannot be.
 *
 * @module
 */
import { HelperError, messageOf } from "../../../src/errors.ts";
import { quietLibraries } from "../../../src/keystore/quiet_libraries.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { tryLoad } from "./crash_check.ts";
import type { Layout } from "../cryptoki/layout.ts";
import { Module } from "./module.ts";
import type { Timeouts } from "../cryptoki/timeouts.ts";

/**
 * Loads the module at `path`. One that is not known to be harmless is loaded into another process
 * first, which takes milliseconds. Throws `keystore-unavailable`.
 */
export async function loadModule(
  path: string,
  { layout, timeouts }: { readonly layout: Layout; readonly timeouts: Timeouts },
  isKnown: boolean,
  context: KeystoreContext,
): Promise<Module> {
  const stat = statOrUndefined(path);
  if (!stat && /[\\/]/.test(path)) throw moduleError(path, "does not exist; name a PKCS#11 module");
  if (stat?.isDirectory) throw moduleError(path, "is a directory; name a PKCS#11 module in it");
  // The loader waits for the writer of a FIFO.
  if (stat && !stat.isFile) throw moduleError(path, "is not a regular file; name a PKCS#11 module");
  context.debug(`PKCS#11 module: ${path}`);
  quietLibraries();
  const failure = isKnown ? undefined : await tryLoad(path, timeouts.load);
  if (failure === "hangs") {
    throw moduleError(path, `is not loaded within ${timeouts.load / 1000} s; install it again`);
  }
  if (failure) {
    const how = "signal" in failure ? `crashes (${failure.signal})` : "ends the program";
    throw moduleError(path, `${how} while it is loaded; install it again or name another module`);
  }
  try {
    return new Module(path, layout, timeouts);
  } catch (cause) {
    const words = messageOf(cause);
    const why = /C_GetFunctionList/.test(words)
      ? "is no PKCS#11 module: it has no C_GetFunctionList; name one that has"
      : `cannot be loaded: ${shortenLoaderMessage(words, path)}; install it again`;
    throw moduleError(path, why, cause);
  }
}

/** `keystore-unavailable` about a module. */
export function moduleError(path: string, why: string, cause?: unknown): HelperError {
  return new HelperError("keystore-unavailable", `${path} ${why}`, { cause });
}

/** What stands at a path; undefined when nothing does. */
export function statOrUndefined(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

/** The loader's own words, from which the runtime's and the path's repetitions are taken. */
function shortenLoaderMessage(words: string, path: string): string {
  return words.replace(/^(Could not open library: )+/, "").replace(`${path}: `, "");
}
