/**
 * Loads the TPM2 Software Stack (tpm2-tss) when a TPM is first used. Errors name the missing
 * package.
 *
 * @module
 */
import { quietLibraries } from "../../../src/keystore/quiet_libraries.ts";
import { HelperError, messageOf } from "../../../src/errors.ts";
import { ESYS_LIBRARY, MARSHALLING, RETURN_CODES, TCTI_LOADER } from "./ffi.ts";

/** The functions of the libraries, which stay loaded until the process exits. */
export interface Libraries {
  readonly loader: Deno.DynamicLibrary<typeof TCTI_LOADER>["symbols"];
  readonly esys: Deno.DynamicLibrary<typeof ESYS_LIBRARY>["symbols"];
  readonly marshalling: Deno.DynamicLibrary<typeof MARSHALLING>["symbols"];
}

/** Library names, and the distribution's os-release. */
export interface LibraryDeps {
  readonly loader: string;
  readonly esys: string;
  readonly marshalling: string;
  /** Returns the text of os-release(5). */
  osRelease(): string;
}

const SYSTEM_DEPS: LibraryDeps = {
  loader: "libtss2-tctildr.so.0",
  esys: "libtss2-esys.so.0",
  marshalling: "libtss2-mu.so.0",
  osRelease: readOsRelease,
};

/** Install commands by ID or ID_LIKE of os-release; `MODULE` is a TCTI's name. */
const INSTALL_COMMANDS: readonly (readonly [ids: readonly string[], command: string])[] = [
  [
    ["debian", "ubuntu"],
    "apt-get install libtss2-esys-3.0.2-0 libtss2-tctildr0 libtss2-tcti-MODULE0",
  ],
  [["fedora", "rhel", "centos", "amzn"], "dnf install tpm2-tss"],
  [["suse", "opensuse"], "zypper install libtss2-esys0 libtss2-tctildr0 libtss2-tcti-MODULE0"],
  [["arch"], "pacman -S tpm2-tss"],
  [["gentoo"], "emerge app-crypt/tpm2-tss"],
];

let opened: Libraries | undefined;

/** Loads the libraries once. Throws `keystore-unavailable` if one is missing or broken. */
export function openLibraries(): Libraries {
  return opened ??= openLibrariesFrom(SYSTEM_DEPS);
}

/** Loads the libraries that `deps` names. If one fails, closes the others. */
export function openLibrariesFrom(deps: LibraryDeps): Libraries {
  quietLibraries();
  const closable: { close(): void }[] = [];
  const open = <S extends Deno.ForeignLibraryInterface>(name: string, symbols: S) => {
    try {
      const library = Deno.dlopen(name, symbols);
      closable.push(library);
      return library.symbols;
    } catch (cause) {
      closable.forEach((library) => library.close());
      throw toLibraryError(name, deps.osRelease(), cause);
    }
  };
  return {
    loader: open(deps.loader, TCTI_LOADER),
    esys: open(deps.esys, ESYS_LIBRARY),
    marshalling: open(deps.marshalling, MARSHALLING),
  };
}

/** Returns the TSS's description of a return code; undefined if libtss2-rc is not installed. */
export function decodeReturnCode(code: number): string | undefined {
  try {
    using library = makeDisposable(Deno.dlopen("libtss2-rc.so.0", RETURN_CODES));
    const text = library.symbols.Tss2_RC_Decode(code);
    return text ? new Deno.UnsafePointerView(text).getCString() : undefined;
  } catch {
    return undefined;
  }
}

function makeDisposable<L extends { close(): void }>(library: L): L & Disposable {
  return Object.assign(library, { [Symbol.dispose]: () => library.close() });
}

/** Returns true if the dynamic linker finds the module of a TCTI. */
export function hasTctiModule(name: string): boolean {
  try {
    Deno.dlopen(`libtss2-tcti-${name}.so.0`, {}).close();
    return true;
  } catch {
    return false;
  }
}

/** Returns how to install the libraries and the module of a TCTI on this machine. */
export function formatInstallCommand(module: string, osRelease: string = readOsRelease()): string {
  const ids = [...osRelease.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)]
    .flatMap(([, value = ""]) => value.replaceAll(/["']/g, "").split(/\s+/));
  const command = INSTALL_COMMANDS.find(([known]) => known.some((id) => ids.includes(id)))?.[1];
  const commands = command === undefined
    ? INSTALL_COMMANDS.slice(0, 4).map(([, known]) => known).join(", or ")
    : command;
  return `install tpm2-tss: ${commands.replaceAll("MODULE", module)}`;
}

function toLibraryError(name: string, osRelease: string, cause: unknown): HelperError {
  const why = messageOf(cause);
  const missing = /no such file|cannot open shared object/i.test(why);
  return new HelperError(
    "keystore-unavailable",
    missing
      ? `a key in a TPM needs ${name}, which is not installed; ${
        formatInstallCommand("device", osRelease)
      }`
      : `a key in a TPM needs ${name}, which cannot be loaded (${why}); ${
        formatInstallCommand("device", osRelease)
      }`,
    { cause },
  );
}

function readOsRelease(): string {
  for (const path of ["/etc/os-release", "/usr/lib/os-release"]) {
    try {
      return Deno.readTextFileSync(path);
    } catch {
      // try the next path
    }
  }
  return "";
}
