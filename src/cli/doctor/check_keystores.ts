/**
 * Checks for the native libraries of keystores.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { isLibraryReporter } from "../../keystore/types.ts";
import { type Scheme, schemesOf } from "../../keystore/uri.ts";
import { createKeystoreContext } from "../keystore_context.ts";
import { type Finding, finding } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";

/**
 * Function that opens a library. Returns the path of its file or its name, or undefined if it is
 * missing.
 */
export type Probe = (name: string) => string | undefined;

/** Checks every library. A missing one is a problem only if its keystore is used. */
export async function checkKeystores(
  { values, system, source }: CheckContext,
  probe: Probe = probeLibrary,
): Promise<readonly Finding[]> {
  const used = new Set(
    [source?.certificate, source?.privateKey, source?.intermediates].map((uri) => uri?.scheme),
  );
  const context = createKeystoreContext(values, system);
  // One after the other: libraries may initialize shared dependencies while they load.
  const findings: Finding[] = [];
  for (const scheme of schemesOf(system.platform)) findings.push(...await checkLibrary(scheme));
  return findings;

  async function checkLibrary(scheme: Scheme): Promise<Finding[]> {
    const keystore = await system.registry(scheme);
    if (!keystore.library) return [];
    const { title, name = "", advice } = keystore.library;
    let reason = `${name} was not found; ${advice}`;
    try {
      const description = isLibraryReporter(keystore)
        ? await keystore.reportLibrary(context).then(({ path, version }) => `${path}, ${version}`)
        : name === ""
        ? undefined
        : probe(name);
      if (description !== undefined) {
        return [finding("library", `${title} (${scheme}:) is ${description}`)];
      }
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown;
      reason = thrown.message;
    }
    const kind = used.has(scheme) ? "library-missing" : "library-absent";
    return [finding(kind, `${title} (${scheme}:): ${reason}`)];
  }
}

/** Opens a library. On Linux its file name has its version: `libtss2-esys.so.0.0.0`. */
function probeLibrary(name: string): string | undefined {
  try {
    // Not closed: its exit handlers run at the end of the process.
    Deno.dlopen(name, {});
  } catch {
    return undefined;
  }
  return Deno.build.os === "linux" ? findLoadedFile(name) ?? name : name;
}

/** Returns the path of a loaded library's file, with links resolved. */
function findLoadedFile(name: string): string | undefined {
  const wanted = name.split("/").at(-1)?.replace(/\.so(\.\d+)*$/, "") ?? name;
  const maps = Deno.readTextFileSync("/proc/self/maps");
  return maps.split("\n").map((line) => /\s(\/\S.*)$/.exec(line)?.[1] ?? "")
    .find((path) => path.split("/").at(-1)?.startsWith(`${wanted}.so`));
}
