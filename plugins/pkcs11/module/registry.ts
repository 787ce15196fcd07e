/**
 * The loaded modules, and the choice of the module for a URI.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import { CryptokiError, isModuleFailure } from "../cryptoki/errors.ts";
import type { Layout } from "../cryptoki/layout.ts";
import { loadModule, moduleError, statOrUndefined } from "./load.ts";
import type { Module } from "./module.ts";
import {
  type Candidates,
  type HostInfo,
  isDefaultPath,
  listModuleCandidates,
  listPaths,
  type Platform,
} from "./paths.ts";
import type { Timeouts } from "../cryptoki/timeouts.ts";

/** Options of the plugin. */
export interface Pkcs11Options {
  readonly platform: Platform;
  readonly architecture: string;
  readonly layout: Layout;
  readonly timeouts: Timeouts;
  /** Directories that are searched if no module is named; default: those of the platform. */
  readonly directories?: readonly string[];
}

/** Modules of this process. Each is loaded once and stays loaded. */
export class ModuleRegistry {
  readonly #loaded = new Map<string, Module>();

  constructor(private readonly options: Pkcs11Options) {}

  /**
   * Returns the result of `use` for the first module that it returns one for. `isOnly` is true if a
   * module was named, or if there is only one.
   *
   * Throws `keystore-unavailable` if no module can be loaded, and names those that were tried.
   */
  async firstResult<T>(
    uri: KeystoreUri,
    context: KeystoreContext,
    use: (module: Module, isOnly: boolean) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const candidates = listModuleCandidates(uri, context, this.#hostInfo());
    const refusals: string[] = [];
    let loaded = 0;
    const paths = findExistingPaths(listPaths(candidates));
    for (const path of paths) {
      let module;
      try {
        module = await this.#load(path, context);
      } catch (thrown) {
        if (!(thrown instanceof HelperError) || thrown.code !== "keystore-unavailable") {
          throw thrown;
        }
        if (candidates.namedBy) throw withPrefix(candidates.namedBy, thrown);
        refusals.push(thrown.message);
        context.debug(thrown.message);
        continue;
      }
      loaded++;
      const result = await use(module, candidates.namedBy !== undefined || paths.length === 1);
      if (result !== undefined) return result;
    }
    if (loaded === 0) throw noModuleError(candidates, refusals);
    return undefined;
  }

  /** Unloads all modules. */
  unload(): void {
    for (const module of this.#loaded.values()) module.unload();
    this.#loaded.clear();
  }

  #hostInfo(): HostInfo {
    const { platform, architecture, directories } = this.options;
    return {
      platform,
      architecture,
      ...(directories ? { directories } : {}),
      isDirectory: (path) => statOrUndefined(path)?.isDirectory ?? false,
    };
  }

  async #load(path: string, context: KeystoreContext): Promise<Module> {
    const host = this.#hostInfo();
    const module = this.#loaded.get(path) ??
      await loadModule(path, this.options, isDefaultPath(path, context, host), context);
    this.#loaded.set(path, module);
    try {
      await module.prepare();
      return module;
    } catch (cause) {
      if (!isModuleFailure(cause)) throw cause;
      // After a timeout it stays loaded, because the call is still running.
      if (cause instanceof CryptokiError) {
        this.#loaded.delete(path);
        module.unload();
      }
      throw moduleError(path, `cannot be used: ${cause.message}`, cause);
    }
  }
}

/** Returns the paths that exist, each file once. A single path is returned unchecked. */
function findExistingPaths(paths: readonly string[]): string[] {
  if (paths.length === 1) return [...paths];
  const files = new Map<string, string>();
  for (const path of paths) {
    try {
      const file = Deno.realPathSync(path);
      if (!files.has(file)) files.set(file, path);
    } catch {
      // does not exist
    }
  }
  return [...files.values()];
}

function noModuleError({ namedBy, directories, files }: Candidates, refusals: readonly string[]) {
  const tried = `${files.join(", ")} in ${directories.join(", ")}`;
  const why = refusals.length > 0 ? `${refusals.join("; ")}; ` : "";
  return new HelperError(
    "keystore-unavailable",
    namedBy
      ? `${namedBy}: no such module; tried ${tried}`
      : `no PKCS#11 module found: ${why}tried ${tried}; ` +
        "install p11-kit or the token's module, or name the module with --pkcs11-lib",
  );
}

function withPrefix(namedBy: string, error: HelperError): HelperError {
  return new HelperError(error.code, `${namedBy}: ${error.message}`, { cause: error.cause });
}
