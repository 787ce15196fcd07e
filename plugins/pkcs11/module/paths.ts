/**
 * Paths of PKCS#11 modules: the named one, or the default paths of the platform.
 *
 * @module
 */
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import type { KeystoreUri } from "../../../src/keystore/uri.ts";

/** Platforms with default paths. */
export type Platform = "linux" | "darwin" | "windows";

/** Properties of the host that determine the paths. */
export interface HostInfo {
  readonly platform: Platform;
  /** The machine's name in Debian's directories, such as `x86_64`. */
  readonly architecture: string;
  /** Directories that replace those of the platform. */
  readonly directories?: readonly string[];
  isDirectory(path: string): boolean;
}

/** Modules to try in order: each file in each directory. */
export interface Candidates {
  /** Source of the name; undefined if no module was named and the default paths are searched. */
  readonly namedBy?: "--pkcs11-lib" | "module-path" | "module-name" | "PKCS11_MODULE_PATH";
  /** Empty if `files` are whole paths. */
  readonly directories: readonly string[];
  readonly files: readonly string[];
}

/** Modules to look for if none is named, p11-kit's proxy first, and the file suffix. */
const KNOWN_FILES: Readonly<Record<Platform, { suffix: string; files: readonly string[] }>> = {
  linux: {
    suffix: ".so",
    files: [
      "p11-kit-proxy.so",
      "libp11-kit.so.0", // the same library, on systems without the name above
      "opensc-pkcs11.so",
      "libykcs11.so",
      "libykcs11.so.2",
      "libsofthsm2.so",
    ],
  },
  darwin: {
    suffix: ".dylib",
    files: ["p11-kit-proxy.dylib", "opensc-pkcs11.so", "libykcs11.dylib", "libsofthsm2.so"],
  },
  windows: {
    suffix: ".dll",
    files: ["opensc-pkcs11.dll", "libykcs11.dll", "softhsm2-x64.dll"],
  },
};

/**
 * Returns the modules for a URI. By precedence: `--pkcs11-lib`, the URI's `module-path` and
 * `module-name`, then PKCS11_MODULE_PATH. Otherwise: p11-kit's proxy, OpenSC's module, YubiKey's
 * and SoftHSM's.
 */
export function listModuleCandidates(
  uri: KeystoreUri,
  context: KeystoreContext,
  host: HostInfo,
): Candidates {
  const flag = context.setting("pkcs11-lib", "given");
  if (flag) return { namedBy: "--pkcs11-lib", directories: [], files: [flag] };
  const directories = defaultDirectories(host, context.environment("ProgramFiles"));
  const fromUri = readUriCandidates(uri, directories, host);
  if (fromUri) return fromUri;
  const variable = context.setting("pkcs11-lib");
  if (variable) return { namedBy: "PKCS11_MODULE_PATH", directories: [], files: [variable] };
  return { directories, files: KNOWN_FILES[host.platform].files };
}

/** Returns true if a path is searched when no module is named. */
export function isDefaultPath(
  path: string,
  context: KeystoreContext,
  host: HostInfo,
): boolean {
  const directories = defaultDirectories(host, context.environment("ProgramFiles"));
  return listPaths({ directories, files: KNOWN_FILES[host.platform].files }).includes(path);
}

/** Returns the paths of the candidates, in the order to try them. */
export function listPaths({ directories, files }: Candidates): string[] {
  if (directories.length === 0) return [...files];
  return files.flatMap((file) =>
    directories.map((directory) => `${directory}${directory.includes("\\") ? "\\" : "/"}${file}`)
  );
}

function readUriCandidates(
  uri: KeystoreUri,
  directories: readonly string[],
  { platform, isDirectory }: HostInfo,
): Candidates | undefined {
  const text = (name: string) => {
    const value = uri.query.get(name);
    return value && new TextDecoder().decode(value);
  };
  const [path, name] = [text("module-path"), text("module-name")];
  if (path !== undefined && (name === undefined || !isDirectory(path))) {
    return { namedBy: "module-path", directories: [], files: [path] };
  }
  if (name === undefined) return undefined;
  const { suffix } = KNOWN_FILES[platform];
  const spellings = [...new Set([name, name.toLowerCase()])]; // names are case-insensitive
  return {
    namedBy: "module-name",
    directories: path === undefined ? directories : [path.replace(/[\\/]+$/, "")],
    files: spellings.flatMap((spelling) => [`${spelling}${suffix}`, `lib${spelling}${suffix}`]),
  };
}

function defaultDirectories(
  { platform, architecture, directories }: HostInfo,
  programFiles = "C:\\Program Files",
): readonly string[] {
  if (directories) return directories;
  if (platform === "windows") {
    return [
      `${programFiles}\\OpenSC Project\\OpenSC\\pkcs11`,
      `${programFiles}\\Yubico\\Yubico PIV Tool\\bin`,
      "C:\\SoftHSM2\\lib",
    ];
  }
  const roots = platform === "darwin"
    ? [
      "/opt/homebrew/lib", // Homebrew on Apple's processors
      "/usr/local/lib", // Homebrew on Intel's
      "/opt/homebrew/opt/p11-kit/lib",
      "/usr/local/opt/p11-kit/lib",
      "/Library/OpenSC/lib",
    ]
    : [
      `/usr/lib/${architecture}-linux-gnu`, // Debian, Ubuntu
      "/usr/lib64", // Fedora, RHEL, SUSE
      "/usr/lib", // Arch
      "/usr/local/lib",
      "/run/current-system/sw/lib", // NixOS
    ];
  return roots.flatMap((root) => [root, `${root}/pkcs11`, `${root}/softhsm`]);
}
