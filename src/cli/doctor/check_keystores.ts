/**
 * Checks for the native libraries of keystores.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { isLibraryReporter } from "../../keystore/types.ts";
import type { Scheme } from "../../keystore/uri.ts";
import { createKeystoreContext } from "../keystore_context.ts";
import type { Platform } from "../system.ts";
import { type Finding, finding } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";

/** A native library that a keystore calls. */
interface Library {
  readonly scheme: Scheme;
  /** Names the library in messages. */
  readonly label: string;
  /** Name for the dynamic loader; absent if the keystore itself finds and reports the library. */
  readonly name?: string;
  /** Advice if the library is missing. */
  readonly advice?: string;
}

const PKCS11: Library = { scheme: "pkcs11", label: "the PKCS#11 module" };

/** Libraries of each system's keystores. */
const LIBRARIES: Readonly<Record<Platform, readonly Library[]>> = {
  linux: [PKCS11, {
    scheme: "handle",
    label: "the TPM library",
    name: "libtss2-esys.so.0",
    advice: "install tpm2-tss (Debian: libtss2-esys-3.0.2-0 and libtss2-tctildr0)",
  }],
  darwin: [PKCS11, {
    scheme: "keychain",
    label: "the Security framework",
    name: "/System/Library/Frameworks/Security.framework/Security",
    advice: "this system has no Keychain",
  }],
  windows: [PKCS11, {
    scheme: "cng",
    label: "the Windows certificate store",
    name: "crypt32.dll",
    advice: "this system has no certificate store",
  }],
};

/** Opens a library. Returns the path of its file or its name, or undefined if it is missing. */
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
  for (const library of LIBRARIES[system.platform]) {
    findings.push(await checkLibrary(library));
  }
  return findings;

  async function checkLibrary(library: Library): Promise<Finding> {
    const { scheme, label, name = "", advice } = library;
    const keystore = await system.registry(scheme);
    let reason = `${name} was not found; ${advice}`;
    try {
      const description = isLibraryReporter(keystore)
        ? await keystore.reportLibrary(context).then(({ path, version }) => `${path}, ${version}`)
        : name === ""
        ? undefined
        : probe(name);
      if (description !== undefined) {
        return finding("library", `${label} (${scheme}:) is ${description}`);
      }
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown;
      reason = thrown.message;
    }
    return finding(
      used.has(scheme) ? "library-missing" : "library-absent",
      `${label} (${scheme}:): ${reason}`,
    );
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
