/**
 * Which of the libraries that keystores call are there.
 *
 * @module
 */
import type { Scheme } from "../../keystore/uri.ts";
import type { Platform } from "../world.ts";
import { type Finding, found } from "./finding.ts";
import type { Inspection } from "./inspection.ts";

/** A library of others that a keystore calls. */
interface Library {
  readonly scheme: Scheme;
  /** What it is to a person. */
  readonly what: string;
  /** Names to try in turn; the system's loader knows the directories. */
  readonly names: readonly string[];
  /** What to do when there is none of them. */
  readonly advice: string;
}

/** What each system's keystores call. */
const LIBRARIES: Readonly<Record<Platform, readonly Library[]>> = {
  linux: [
    {
      scheme: "pkcs11",
      what: "the PKCS#11 module",
      names: ["p11-kit-proxy.so", "libp11-kit.so.0", "opensc-pkcs11.so", "libsofthsm2.so"],
      advice:
        "install p11-kit (Debian: p11-kit and p11-kit-modules), or name one with --pkcs11-lib",
    },
    {
      scheme: "handle",
      what: "the TPM library",
      names: ["libtss2-esys.so.0"],
      advice: "install tpm2-tss (Debian: libtss2-esys-3.0.2-0 and libtss2-tctildr0)",
    },
  ],
  darwin: [
    {
      scheme: "pkcs11",
      what: "the PKCS#11 module",
      names: [
        "/opt/homebrew/lib/pkcs11/p11-kit-proxy.dylib",
        "/opt/homebrew/lib/p11-kit-proxy.dylib",
        "/usr/local/lib/p11-kit-proxy.dylib",
        "/Library/OpenSC/lib/opensc-pkcs11.so",
      ],
      advice: "install p11-kit (brew install p11-kit), or name one with --pkcs11-lib",
    },
    {
      scheme: "keychain",
      what: "the Security framework",
      names: ["/System/Library/Frameworks/Security.framework/Security"],
      advice: "this system has no Keychain",
    },
  ],
  windows: [
    {
      scheme: "pkcs11",
      what: "the PKCS#11 module",
      names: ["opensc-pkcs11.dll"],
      advice: "name one with --pkcs11-lib",
    },
    {
      scheme: "cng",
      what: "the Windows certificate store",
      names: ["crypt32.dll"],
      advice: "this system has no certificate store",
    },
  ],
};

/** Opens a library and gives the path of its file, or its name; undefined when there is none. */
export type Probe = (name: string) => string | undefined;

/** Looks for every library; that of the keystore in use must be there. */
export function checkKeystores(
  { values, world, source }: Inspection,
  probe: Probe = probeLibrary,
): readonly Finding[] {
  const used = new Set(
    [source?.certificate, source?.privateKey, source?.intermediates].map((uri) => uri?.scheme),
  );
  return LIBRARIES[world.platform].map((library) => {
    const { scheme, what, advice } = library;
    const named = scheme === "pkcs11" ? values.text("pkcs11-lib") : undefined;
    const names = named === undefined ? library.names : [named];
    for (const name of names) {
      const path = probe(name);
      if (path !== undefined) return found("library", `${what} (${scheme}:) is ${path}`);
    }
    const absent = `${what} (${scheme}:) was not found (${names.join(", ")})`;
    return used.has(scheme)
      ? found("library-missing", `${absent}; ${advice}`)
      : found("library-absent", `${absent}; to use one, ${advice}`);
  });
}

/** The version of a library on Linux is in the name of its file: `libtss2-esys.so.0.0.0`. */
function probeLibrary(name: string): string | undefined {
  let library: Deno.DynamicLibrary<Record<never, never>>;
  try {
    library = Deno.dlopen(name, {});
  } catch {
    return undefined;
  }
  try {
    return Deno.build.os === "linux" ? loadedFile(name) ?? name : name;
  } finally {
    library.close();
  }
}

/** The file behind a library that is loaded now, links followed. */
function loadedFile(name: string): string | undefined {
  const base = name.split("/").at(-1)?.replace(/\.so(\.\d+)*$/, "") ?? name;
  const wanted = base === "p11-kit-proxy" ? "libp11-kit" : base;
  const maps = Deno.readTextFileSync("/proc/self/maps");
  return maps.split("\n").map((line) => /\s(\/\S.*)$/.exec(line)?.[1] ?? "")
    .find((path) => path.split("/").at(-1)?.startsWith(`${wanted}.so`));
}
