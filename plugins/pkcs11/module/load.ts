/**
 * Loads a module, and names the reason if that fails.
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
 * Loads the module at `path`. If `isKnown` is false, loads it in a child process first, which takes
 * milliseconds. Throws `keystore-unavailable`.
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
  // The loader would wait for the writer of a FIFO.
  if (stat && !stat.isFile) throw moduleError(path, "is not a regular file; name a PKCS#11 module");
  context.debug(`PKCS#11 module: ${path}`);
  quietLibraries();
  const failure = isKnown ? undefined : await tryLoad(path, timeouts.load);
  if (failure === "hangs") {
    throw moduleError(path, `did not load within ${timeouts.load / 1000} s; install it again`);
  }
  if (failure) {
    const how = "signal" in failure ? `crashes (${failure.signal})` : "exits";
    throw moduleError(path, `${how} while it is loaded; install it again or name another module`);
  }
  try {
    return new Module(path, layout, timeouts);
  } catch (cause) {
    const message = messageOf(cause);
    const why = /C_GetFunctionList/.test(message)
      ? "is not a PKCS#11 module (C_GetFunctionList is missing); name another module"
      : `cannot be loaded: ${shortenLoaderMessage(message, path)}; install it again`;
    throw moduleError(path, why, cause);
  }
}

/** Creates a `keystore-unavailable` error about a module. */
export function moduleError(path: string, why: string, cause?: unknown): HelperError {
  return new HelperError("keystore-unavailable", `${path} ${why}`, { cause });
}

/** Returns the metadata of a file; undefined if it cannot be read. */
export function statOrUndefined(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

/** Removes the runtime's prefix and the repeated path from the loader's message. */
function shortenLoaderMessage(message: string, path: string): string {
  return message.replace(/^(Could not open library: )+/, "").replace(`${path}: `, "");
}
