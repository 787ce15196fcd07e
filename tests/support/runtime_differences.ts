/**
 * Differences between the compiled program and its bundle under `deno run`, where `make
 * test-runtime` tests it. Lists test files and tests that need the compiled program, each with its
 * reason.
 *
 * @module
 */

/** Files below tests/e2e that only the compiled program passes, by the start of their names. */
export const COMPILED_ONLY_FILES: Readonly<Record<string, string>> = {
  arm64_: "programs for other processors are compiled",
  base_binary: "it compiles programs",
  macos_: "programs for macOS are compiled",
  windows_: "programs for Windows are compiled",
  runtime_variables: "the names of variables are removed from the base binary",
  loaded_scripts: "it reads the bundle of the compiled program",
  make_: "it runs make, whose targets build the compiled program",
};

const BY_FILE = "it finds the processes by the program's file, which is a script under deno run";

/** Tests that only the compiled program passes. */
export const COMPILED_ONLY_TESTS: Readonly<Record<string, string>> = {
  "credential-process refuses to write TLS session keys when SSLKEYLOGFILE is set":
    "the runtime opens the file, because the name is not removed from it",
  "the runtime itself ends the program: an argument that is not UTF-8":
    "deno run itself reads the arguments, and exits with another code",
  "the runtime itself ends the program: NODE_OPTIONS that is not UTF-8":
    "deno run does not read it before the program",
  "the runtime itself ends the program: too few open files": "deno run opens other files",
  "the runtime itself ends the program: no /proc": "deno run does not look for its own file",
  "sign-string reports RSA keys that cannot sign":
    "deno run ends if a thread of the runtime panics",
  "a key at env:INPUT is in no process list, environment, folder or core file": BY_FILE,
  "a key at fd:9 is in no process list, environment, folder or core file": BY_FILE,
  "a key at - is in no process list, environment, folder or core file": BY_FILE,
};

const [MAJOR = 0, MINOR = 0] = Deno.version.deno.split(".").map(Number);
const isBefore29 = MAJOR < 2 || (MAJOR === 2 && MINOR < 9);

/** Status of the runtime's HTTP server for a request that is too large: 400 since Deno 2.9. */
export const TOO_LARGE_STATUS = isBefore29
  ? { headers: 431, target: 414 }
  : { headers: 400, target: 400 };

/** Returns true if a test file runs under `deno run`. */
export function runsUnderDenoRun(path: string): boolean {
  const name = path.split("/").at(-1) ?? "";
  return !Object.keys(COMPILED_ONLY_FILES).some((start) => name.startsWith(start));
}
