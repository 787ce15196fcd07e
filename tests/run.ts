// deno-lint-ignore-file no-console -- a test runner talks to the terminal it runs in
/**
 * Runs the checks and the tests, and ends with one line: `N passed, N failed, N skipped`.
 *
 * Usage: deno run -A tests/run.ts check|all
 *        deno run -A tests/run.ts one FILTER FILE…
 *
 * A skipped test fails the run only in our CI, and only if `tests/expected_needs` lists its need.
 *
 * @module
 */
import { probeAll, PROBED } from "./support/needs.ts";
import { runSteps, type Step } from "./support/runner.ts";
import { readExpectedNeeds } from "./support/skips.ts";

const TEST = ["test", "--quiet", "--cached-only", "--allow-all", "--no-check"];

const CHECK_STEPS: readonly Step[] = [
  { name: "format", args: ["fmt", "--check", "--quiet"] },
  { name: "lint", args: ["lint", "--quiet"] },
  { name: "types", args: ["check", "--quiet", "src", "plugins", "tests", "packaging"] },
  {
    name: "commands.md in step",
    args: ["run", "--quiet", "--cached-only", "-A", "packaging/reference.ts", "--check"],
  },
  {
    name: "README.md in step",
    args: ["run", "--quiet", "--cached-only", "-A", "packaging/readme.ts", "--check"],
  },
  {
    name: "unit tests",
    args: [
      ...TEST,
      "--ignore=tests/e2e,tests/clients,tests/soak,tests/release,tests/fuzz,tests/fresh",
      "tests",
    ],
    counted: true,
  },
];

const ALL_STEPS: readonly Step[] = [
  ...CHECK_STEPS,
  { name: "tests of the binary", args: [...TEST, "tests/e2e"], counted: true },
  { name: "mutated input", args: [...TEST, "tests/fuzz"], counted: true },
  { name: "long runs", args: [...TEST, "tests/soak"], counted: true },
  { name: "tests with AWS SDKs", args: [...TEST, "tests/clients"], counted: true },
  { name: "a fresh machine", args: [...TEST, "tests/fresh"], counted: true },
  { name: "tests of the release", args: [...TEST, "tests/release"], counted: true },
];

const STEPS: Readonly<Record<string, readonly Step[]>> = { check: CHECK_STEPS, all: ALL_STEPS };

/** Runs the tests of files, or those whose names contain a text. */
function someFiles(paths: readonly string[], text: string): Step {
  const args = [...TEST, ...paths, ...(text === "" ? [] : [`--filter=${text}`])];
  return { name: paths.join(" "), args, counted: true, filtered: text !== "" };
}

/** Timeout of a step, milliseconds. */
const STEP_TIMEOUT = 25 * 60_000;

/** Time for daemons such as wine's to end by themselves, milliseconds. */
const GRACE = 10_000;

/** Variable that `.ci/run` sets. `CI` does not mean our CI: other machines set it, too. */
const OUR_CI = "AWS_SIGNING_HELPER_CI";

const EXPECTED_NEEDS = new URL("expected_needs", import.meta.url);

const [which = "", filter = "", ...files] = Deno.args;
const steps = which === "one" && files.join("") !== "" ? [someFiles(files, filter)] : STEPS[which];
if (!steps) {
  console.error(
    which === "one"
      ? "test-one: no file; run make test-one FILE=tests/cli/parse_test.ts"
      : "usage: run.ts check|all|one",
  );
  Deno.exit(2);
}
const passed = await runSteps(steps, {
  stopAtFailure: which === "check",
  stepTimeout: STEP_TIMEOUT,
  grace: GRACE,
  expectedNeeds: Deno.env.get(OUR_CI) === "1"
    ? readExpectedNeeds(Deno.readTextFileSync(EXPECTED_NEEDS))
    : undefined,
  env: { [PROBED]: probeAll() },
});
Deno.exit(passed ? 0 : 1);
