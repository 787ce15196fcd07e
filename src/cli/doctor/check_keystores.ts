/**
 * Which of the libraries that keystores call are there.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { isLibraryReporter } from "../../keystore/types.ts";
import type { Scheme } from "../../keystore/uri.ts";
import { keystoreContext } from "../keystore_context.ts";
import type { Platform } from "../system.ts";
import { type Finding, found } from "./finding.ts";
import type { Inspection } from "./check_context.ts";

/** A library of others that a keystore calls. */
interface Library {
  readonly scheme: Scheme;
  /** What it is to a person. */
  readonly what: string;
  /** Its name, for the system's loader; absent where the keystore itself finds and reports it. */
  readonly name?: string;
  /** What to do when it is not there. */
  readonly advice?: string;
}

const PKCS11: Library = { scheme: "pkcs11", what: "the PKCS#11 module" };

/** What each system's keystores call. */
const LIBRARIES: Readonly<Record<Platform, readonly Library[]>> = {
  linux: [PKCS11, {
    scheme: "handle",
    what: "the TPM library",
    name: "libtss2-esys.so.0",
    advice: "install tpm2-tss (Debian: libtss2-esys-3.0.2-0 and libtss2-tctildr0)",
  }],
  darwin: [PKCS11, {
    scheme: "keychain",
    what: "the Security framework",
    name: "/System/Library/Frameworks/Security.framework/Security",
    advice: "this system has no Keychain",
  }],
  windows: [PKCS11, {
    scheme: "cng",
    what: "the Windows certificate store",
    name: "crypt32.dll",
    advice: "this system has no certificate store",
  }],
};

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
  for (const library of LIBRARIES[system.platform]) {
    findings.push(await checkLibrary(library));
  }
  return findings;

  async function checkLibrary(library: Library): Promise<Finding> {
    const { scheme, what, name = "", advice } = library;
    const keystore = await system.registry(scheme);
    let why = `${name} was not found; ${advice}`;
    try {
      const told = isLibraryReporter(keystore)
        ? await keystore.reportLibrary(context).then(({ path, version }) => `${path}, ${version}`)
        : name === ""
        ? undefined
        : probe(name);
      if (told !== undefined) return found("library", `${what} (${scheme}:) is ${told}`);
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown;
      why = thrown.message;
    }
    return found(
      used.has(scheme) ? "library-missing" : "library-absent",
      `${what} (${scheme}:): ${why}`,
    );
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
