// deno-lint-ignore-file no-console -- a test runner prints its progress
/**
 * Runs the checks and the tests, and ends with one line: `N passed, N failed, N skipped`.
 *
 * Usage: deno run -A tests/run.ts check|all
 *        deno run -A tests/run.ts one FILTER FILE…
 *        deno run -A tests/run.ts runtime [FILE…]
 *
 * A skipped test fails the run only in our CI, and only if `tests/expected_needs` lists its need.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { PROGRAM } from "../src/cli/program.ts";
import { BINARY_VARIABLE } from "./support/binary.ts";
import { probeAll, PROBED } from "./support/needs.ts";
import { runSteps, type Step } from "./support/runner.ts";
import {
  COMPILED_ONLY_FILES,
  COMPILED_ONLY_TESTS,
  runsUnderDenoRun,
} from "./support/runtime_differences.ts";
import { readExpectedNeeds } from "./support/skips.ts";
import { isUnitTest, testFilesBelow } from "./support/test_files.ts";

const TEST = [
  ...["test", "--quiet", "--cached-only", "--allow-all", "--no-check"],
  "--preload=tests/support/no_exit_handlers.ts",
];

/** Test files that run one at a time, because they compare the times of two programs or two loads. */
const TIMED = ["pkcs11_session", "serve_load", "slow_pkcs12", "staying_process"]
  .map((name) => `tests/e2e/${name}_test.ts`);

/** Test files that take longest: they start first, so that no lane waits for the other at the end. */
const SLOWEST = [
  "tpm_endurance",
  "wrong_inputs",
  "hostile_service",
  "canary_secrets",
  "canary_keys",
]
  .map((name) => `tests/e2e/${name}_test.ts`);

const CHECK_STEPS: readonly Step[] = [
  { name: "format", args: ["fmt", "--check", "--quiet"] },
  { name: "lint", args: ["lint", "--quiet"] },
  { name: "types", args: ["check", "--quiet", "src", "plugins", "tests", "packaging"] },
  {
    name: "commands.md in step",
    args: ["run", "--quiet", "--cached-only", "-A", "packaging/reference.ts", "--check"],
  },
  {
    name: "tests/README.md in step",
    args: ["run", "--quiet", "--cached-only", "-A", "packaging/readme.ts", "--check"],
  },
  {
    name: "unit tests",
    args: TEST,
    counted: true,
    batches: unitBatches(),
  },
];

const ALL_STEPS: readonly Step[] = [
  ...CHECK_STEPS,
  {
    name: "tests of the binary",
    args: TEST,
    counted: true,
    batches: binaryBatches(),
  },
  { name: "tests that compare times", args: [...TEST, ...TIMED], counted: true },
  {
    name: "tests with AWS SDKs, long runs, mutated input",
    args: TEST,
    counted: true,
    batches: ["tests/soak", "tests/clients", "tests/fuzz"].flatMap(filesOf).map((path) => [path]),
  },
  {
    name: "tests of the release, a fresh machine",
    args: TEST,
    counted: true,
    batches: ["tests/fresh", "tests/release"].flatMap(filesOf).map((path) => [path]),
  },
];

const STEPS: Readonly<Record<string, readonly Step[]>> = { check: CHECK_STEPS, all: ALL_STEPS };

/** Returns the test files below a folder, {@link SLOWEST} first. */
function filesOf(folder: string): string[] {
  const below = testFilesBelow(folder);
  return [
    ...SLOWEST.filter((path) => below.includes(path)),
    ...below.filter((path) => !SLOWEST.includes(path)),
  ];
}

/** Returns the unit tests' files, those of a folder in one process: because a process for each would take longer. */
function unitBatches(): string[][] {
  const folders = Map.groupBy(
    filesOf("tests").filter(isUnitTest),
    (path) => path.slice(0, path.lastIndexOf("/")),
  );
  return [...folders.values()].toSorted((a, b) => b.length - a.length);
}

/** Returns the tests of the binary, a process for each file; those under wine share a folder and a process. */
function binaryBatches(): string[][] {
  const files = filesOf("tests/e2e").filter((path) => !TIMED.includes(path));
  const isWindows = (path: string) => path.includes("/windows_");
  return [
    files.filter(isWindows),
    ...files.filter((path) => !isWindows(path)).map((path) => [path]),
    ...filesOf("tests/systems").map((path) => [path]),
  ];
}

/** Runs the tests of files, or those whose names contain a text. */
function someFiles(paths: readonly string[], text: string): Step {
  const args = [...TEST, ...paths, ...(text === "" ? [] : [`--filter=${text}`])];
  return { name: paths.join(" "), args, counted: true, filtered: text !== "" };
}

/** Runs the unit tests, and the tests of the binary with the bundle under `deno run`; or only some files. */
function runtimeSteps(paths: readonly string[]): Step[] {
  const args = [...TEST, "--preload=tests/support/skip_compiled_only.ts"];
  if (paths.length > 0) {
    return [{
      name: paths.join(" "),
      args,
      counted: true,
      batches: paths.map((path) => [path]),
    }];
  }
  return [
    { name: "unit tests", args: TEST, counted: true, batches: unitBatches() },
    {
      name: `tests of the program under Deno ${Deno.version.deno}`,
      args,
      counted: true,
      batches: binaryBatches().flat().filter(runsUnderDenoRun).map((path) => [path]),
    },
  ];
}

/** Prints what `make test-runtime` does not run, and returns its environment. */
function runtimeEnvironment(): Record<string, string> {
  for (const [name, reason] of Object.entries({ ...COMPILED_ONLY_FILES, ...COMPILED_ONLY_TESTS })) {
    console.log(`not run under deno run: ${name}: ${reason}`);
  }
  return {
    [BINARY_VARIABLE]: fileURLToPath(new URL(`../build/runtime/${PROGRAM}`, import.meta.url)),
  };
}

/** Timeout of a step, milliseconds. */
const STEP_TIMEOUT = 30 * 60_000;

/** Timeout of one process of a step with several: three times the longest, on a machine that is busy. */
const BATCH_TIMEOUT = 15 * 60_000;

/** Timeout for daemons such as wine's to exit, milliseconds. */
const GRACE = 10_000;

/** Variable that `.ci/run` sets. `CI` does not mean our CI: other machines set it, too. */
const OUR_CI = "AWS_SIGNING_HELPER_CI";

/** Test processes at a time: most tests wait for programs that they started. */
const LANES = Math.min(Math.max(navigator.hardwareConcurrency, 1), 2);

const EXPECTED_NEEDS = new URL("expected_needs", import.meta.url);

const [which = "", filter = "", ...files] = Deno.args;
const isRuntime = which === "runtime";
const steps = isRuntime
  ? runtimeSteps([filter, ...files].filter((path) => path !== ""))
  : which === "one" && files.join("") !== ""
  ? [someFiles(files, filter)]
  : STEPS[which];
if (!steps) {
  console.error(
    which === "one"
      ? "test-one: no file; run make test-one FILE=tests/cli/parse_test.ts"
      : "usage: run.ts check|all|one|runtime",
  );
  Deno.exit(2);
}
const passed = await runSteps(steps, {
  stopAtFailure: which === "check",
  stepTimeout: STEP_TIMEOUT,
  batchTimeout: BATCH_TIMEOUT,
  grace: GRACE,
  lanes: LANES,
  expectedNeeds: Deno.env.get(OUR_CI) === "1"
    ? readExpectedNeeds(Deno.readTextFileSync(EXPECTED_NEEDS))
    : undefined,
  env: { [PROBED]: probeAll(), ...(isRuntime ? runtimeEnvironment() : {}) },
});
Deno.exit(passed ? 0 : 1);
