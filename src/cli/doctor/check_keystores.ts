/**
 * Which of the libraries that keystores call are there.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { isLibraryReporter } from "../../keystore/types.ts";
import { type Scheme, schemesOf } from "../../keystore/uri.ts";
import { keystoreContext } from "../keystore_context.ts";
import { type Finding, found } from "./finding.ts";
import type { Inspection } from "./check_context.ts";

/** Opens a library and gives the path of its file, or its name; undefined when there is none. */
export type Probe = (name: string) => string | undefined;

/** Looks for every library; that of the keystore in use must be there. */
export async function checkKeystores(
  { values, system, source }: Inspection,
  probe: Probe = probeLibrary,
): Promise<readonly Finding[]> {
  const used = new Set(
    [source?.certificate, source?.privateKey, source?.intermediates].map((uri) => uri?.scheme),
  );
  const context = keystoreContext(values, system);
  // One after the other: libraries that are loaded side by side share others, which they set up.
  const findings: Finding[] = [];
  for (const scheme of schemesOf(system.platform)) findings.push(...await checkLibrary(scheme));
  return findings;

  async function checkLibrary(scheme: Scheme): Promise<Finding[]> {
    const keystore = await system.registry(scheme);
    if (!keystore.library) return [];
    const { title, name = "", advice } = keystore.library;
    let why = `${name} was not found; ${advice}`;
    try {
      const told = isLibraryReporter(keystore)
        ? await keystore.reportLibrary(context).then(({ path, version }) => `${path}, ${version}`)
        : name === ""
        ? undefined
        : probe(name);
      if (told !== undefined) return [found("library", `${title} (${scheme}:) is ${told}`)];
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown;
      why = thrown.message;
    }
    const kind = used.has(scheme) ? "library-missing" : "library-absent";
    return [found(kind, `${title} (${scheme}:): ${why}`)];
  }
}

/** The version of a library on Linux is in the name of its file: `libtss2-esys.so.0.0.0`. */
function probeLibrary(name: string): string | undefined {
  try {
    // Not closed: what it has left to be done at the end of the process must still be there then.
    Deno.dlopen(name, {});
  } catch {
    return undefined;
  }
  return Deno.build.os === "linux" ? loadedFile(name) ?? name : name;
}

/** The file behind a library that is loaded now, links followed. */
function loadedFile(name: string): string | undefined {
  const wanted = name.split("/").at(-1)?.replace(/\.so(\.\d+)*$/, "") ?? name;
  const maps = Deno.readTextFileSync("/proc/self/maps");
  return maps.split("\n").map((line) => /\s(\/\S.*)$/.exec(line)?.[1] ?? "")
    .find((path) => path.split("/").at(-1)?.startsWith(`${wanted}.so`));
}
