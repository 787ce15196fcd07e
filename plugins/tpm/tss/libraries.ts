/**
 * Opening the TPM2 Software Stack (tpm2-tss) when a TPM is first used, and saying which package is
 * missing when it cannot be.
 *
 * @module
 */
import { quietLibraries } from "../../../src/keystore/quiet_libraries.ts";
import { HelperError, messageOf } from "../../../src/errors.ts";
import { ESYS_LIBRARY, MARSHALLING, RETURN_CODES, TCTI_LOADER } from "./ffi.ts";

/** The functions of the libraries. They stay open as long as the process lives. */
export interface Libraries {
  readonly loader: Deno.DynamicLibrary<typeof TCTI_LOADER>["symbols"];
  readonly esys: Deno.DynamicLibrary<typeof ESYS_LIBRARY>["symbols"];
  readonly marshalling: Deno.DynamicLibrary<typeof MARSHALLING>["symbols"];
}

/** Where libraries are looked for, and what tells the distribution. */
export interface LibrarySearch {
  readonly loader: string;
  readonly esys: string;
  readonly marshalling: string;
  /** The text of os-release(5). */
  osRelease(): string;
}

const SYSTEM: LibrarySearch = {
  loader: "libtss2-tctildr.so.0",
  esys: "libtss2-esys.so.0",
  marshalling: "libtss2-mu.so.0",
  osRelease: readOsRelease,
};

/** By ID or ID_LIKE of os-release: the command that installs the libraries and `MODULE`. */
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

/** Opens the libraries, once. Throws `keystore-unavailable` when one is missing or broken. */
export function openLibraries(): Libraries {
  return opened ??= openFrom(SYSTEM);
}

/** Opens the libraries that `search` names; closes those that it has opened when one fails. */
export function openFrom(search: LibrarySearch): Libraries {
  quietLibraries();
  const closable: { close(): void }[] = [];
  const open = <S extends Deno.ForeignLibraryInterface>(name: string, symbols: S) => {
    try {
      const library = Deno.dlopen(name, symbols);
      closable.push(library);
      return library.symbols;
    } catch (cause) {
      closable.forEach((library) => library.close());
      throw unavailable(name, search.osRelease(), cause);
    }
  };
  return {
    loader: open(search.loader, TCTI_LOADER),
    esys: open(search.esys, ESYS_LIBRARY),
    marshalling: open(search.marshalling, MARSHALLING),
  };
}

/** The TSS's own words for a return code; undefined when libtss2-rc is not installed. */
export function decodeReturnCode(code: number): string | undefined {
  try {
    using library = closing(Deno.dlopen("libtss2-rc.so.0", RETURN_CODES));
    const words = library.symbols.Tss2_RC_Decode(code);
    return words ? new Deno.UnsafePointerView(words).getCString() : undefined;
  } catch {
    return undefined;
  }
}

function closing<L extends { close(): void }>(library: L): L & Disposable {
  return Object.assign(library, { [Symbol.dispose]: () => library.close() });
}

/** Whether the dynamic linker finds the module of a TCTI. */
export function hasTctiModule(name: string): boolean {
  try {
    Deno.dlopen(`libtss2-tcti-${name}.so.0`, {}).close();
    return true;
  } catch {
    return false;
  }
}

/** How to install the libraries with the module of a TCTI on this machine. */
export function installWords(module: string, osRelease: string = readOsRelease()): string {
  const ids = [...osRelease.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)]
    .flatMap(([, value = ""]) => value.replaceAll(/["']/g, "").split(/\s+/));
  const command = INSTALL_COMMANDS.find(([known]) => known.some((id) => ids.includes(id)))?.[1];
  const commands = command === undefined
    ? INSTALL_COMMANDS.slice(0, 4).map(([, known]) => known).join(", or ")
    : command;
  return `install tpm2-tss: ${commands.replaceAll("MODULE", module)}`;
}

function unavailable(name: string, osRelease: string, cause: unknown): HelperError {
  const why = messageOf(cause);
  const missing = /no such file|cannot open shared object/i.test(why);
  return new HelperError(
    "keystore-unavailable",
    missing
      ? `a key in a TPM needs ${name}, which is not installed; ${installWords("device", osRelease)}`
      : `${name}, which a key in a TPM needs, cannot be loaded (${why}); ${
        installWords("device", osRelease)
      }`,
    { cause },
  );
}

function readOsRelease(): string {
  for (const path of ["/etc/os-release", "/usr/lib/os-release"]) {
    try {
      return Deno.readTextFileSync(path);
    } catch {
      // the other one, or none
    }
  }
  return "";
}
