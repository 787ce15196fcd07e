/**
 * Tests that apply to Windows and macOS, where `packaging/ci` runs them. The lists were made by reading:
 * nobody has run the tests there yet.
 *
 * @module
 */

/** System with a list. */
export type System = "darwin" | "windows";

/** Unit tests that need Linux, by the start of their path, each with its reason. */
const LINUX_ONLY: Readonly<Record<string, string>> = {
  "tests/containers/": "the other programs are those of Debian",
  "tests/credentials/other_user": "it runs a program as another user",
  "tests/imds/allowed_users": "the owner of a socket is read from Linux's tables",
  "tests/imds/socket_owner": "the owner of a socket is read from Linux's tables",
  "tests/packaging/": "it reads files of the repository only",
  "tests/plugins/cng/": "its double of the store is compiled for Linux",
  "tests/plugins/keychain/": "its double of the store is compiled for Linux",
  "tests/plugins/misuse": "its double of the store is compiled for Linux",
  "tests/plugins/pkcs11/": "its modules are compiled for Linux",
  "tests/plugins/tpm/": "its libraries are those of Linux",
  "tests/support/": "it tests Linux's processes and programs",
};

/** Unit tests that also do not run on Windows. */
const NOT_WINDOWS: Readonly<Record<string, string>> = {
  "tests/cli/signals": "Windows has no SIGTERM",
  "tests/credentials/cache_": "it compares permission bits",
  "tests/credentials/profile_file": "it compares permission bits",
  "tests/credentials/session_cache": "it compares permission bits",
  "tests/emulator/main": "Windows has no SIGTERM",
  "tests/files/": "it compares permission bits",
};

const REASONS: Readonly<Record<System, Readonly<Record<string, string>>>> = {
  darwin: LINUX_ONLY,
  windows: { ...LINUX_ONLY, ...NOT_WINDOWS },
};

/** Tests of the binary that use no facility of Linux. */
const PORTABLE = [
  "certificate_path",
  "credential_process",
  "read_certificate_data",
  "role_chain",
  "selftest",
  "server_certificate",
];

/** Names of the tests of the binary that apply, without their folder and suffix. */
const END_TO_END: Readonly<Record<System, readonly string[]>> = {
  darwin: [...PORTABLE, "health", "help", "key_files", "proxy", "session_cache", "update"],
  windows: PORTABLE,
};

/** Returns the system of the list for an operating system. Throws if there is none. */
export function systemOf(os: string): System {
  if (os === "darwin" || os === "windows") return os;
  throw new Error(`there is no list of tests for ${os}; run make test`);
}

/** Returns the reason why a unit test does not run on a system, or undefined. */
export function whyNotOn(system: System, path: string): string | undefined {
  return Object.entries(REASONS[system]).find(([start]) => path.startsWith(start))?.[1];
}

/** Returns the starts of paths that a system's list excludes. */
export function excludedOn(system: System): readonly string[] {
  return Object.keys(REASONS[system]);
}

/** Returns the paths of the tests of the binary that apply to a system. */
export function endToEndOn(system: System): string[] {
  return END_TO_END[system].map((name) => `tests/e2e/${name}_test.ts`);
}
