// deno-lint-ignore-file no-console -- a test runner talks to the terminal it runs in
/**
 * Runs the checks and the tests, says at the end which failed, and ends with one line:
 * `N passed, N failed, N skipped`.
 *
 * Usage: deno run -A tests/run.ts check|all
 *
 * Under CI a skipped test fails the run: every test must be able to run there.
 *
 * @module
 */

interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** Its tests are counted one by one; else the step counts as one. */
  readonly counted?: boolean;
}

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** What failed and why, a line each. */
  readonly failures: string[];
}

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
    name: "unit tests",
    args: [...TEST, "--ignore=tests/e2e,tests/clients,tests/soak,tests/release", "tests"],
    counted: true,
  },
];

const ALL_STEPS: readonly Step[] = [
  ...CHECK_STEPS,
  { name: "tests of the binary", args: [...TEST, "tests/e2e"], counted: true },
  { name: "long runs", args: [...TEST, "tests/soak"], counted: true },
  { name: "tests with AWS SDKs", args: [...TEST, "tests/clients"], counted: true },
  { name: "tests of the release", args: [...TEST, "tests/release"], counted: true },
];

const STEPS: Readonly<Record<string, readonly Step[]>> = { check: CHECK_STEPS, all: ALL_STEPS };

/** A step that takes longer hangs, milliseconds; it is ended and has failed. */
const LONGEST_STEP = 25 * 60_000;

async function runStep(step: Step): Promise<Tally> {
  console.log(`== ${step.name}`);
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...step.args.slice(0, 1),
        ...(step.counted ? [`--junit-path=${report}`] : []),
        ...step.args.slice(1),
      ],
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(LONGEST_STEP),
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    const tally = step.counted
      ? readReport(await Deno.readTextFile(report))
      : { passed: success ? 1 : 0, failed: success ? 0 : 1, skipped: 0, failures: [] };
    if (step.counted && tally.passed === 0) tally.failed += 1; // no test at all is no success
    if (!success && tally.failed === 0) tally.failed = 1;
    if (tally.failed > 0 && tally.failures.length === 0) tally.failures.push(step.name);
    return tally;
  } finally {
    await Deno.remove(report);
  }
}

/** Counts the tests of a JUnit report, and names those that were skipped or failed. */
function readReport(xml: string): Tally {
  const sum = (attribute: string) =>
    [...xml.matchAll(new RegExp(`<testsuite [^>]*\\b${attribute}="(\\d+)"`, "g"))]
      .reduce((total, match) => total + Number(match[1]), 0);
  const skipped = sum("disabled");
  for (const [, name] of xml.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<skipped/g)) {
    console.log(`not run here: ${name}`);
  }
  const failures = [...xml.matchAll(
    /<testcase name="([^"]*)" classname="([^"]*)"[^>]*>\s*<(?:failure|error) message="([^"]*)"/g,
  )].map(([, name, file, message]) => unescapeXml(`${file}: ${name}: ${message}`));
  const failed = sum("failures") + sum("errors");
  return { passed: sum("tests") - failed - skipped, failed, skipped, failures };
}

/** On one line, as the runner's last lines are read by programs. */
function unescapeXml(text: string): string {
  const named: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'" };
  return text
    .replaceAll(/&(lt|gt|quot|apos);/g, (whole, name) => named[name] ?? whole)
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll("&amp;", "&")
    .replaceAll(/\s+/g, " ");
}

const steps = STEPS[Deno.args[0] ?? ""];
if (!steps) {
  console.error("usage: run.ts check|all");
  Deno.exit(2);
}
const total: Tally = { passed: 0, failed: 0, skipped: 0, failures: [] };
for (const step of steps) {
  const tally = await runStep(step);
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.skipped += tally.skipped;
  total.failures.push(...tally.failures);
}
for (const failure of total.failures) console.log(`failed: ${failure}`);
const unexpectedSkip = total.skipped > 0 && Deno.env.get("CI") === "true";
if (unexpectedSkip) console.log("a test was skipped, and CI expects every test to run");
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
Deno.exit(total.failed > 0 || unexpectedSkip ? 1 : 0);
