// deno-lint-ignore-file no-console -- a test runner talks to the terminal it runs in
/**
 * Runner of checks and tests: each step with its number, name and time, then a summary that starts with
 * what failed and ends with `N passed, N failed, N skipped`.
 *
 * @module
 */
import { linesOf, readSkip, type Skip, unexpectedSkips } from "./skips.ts";

/** One run of `deno` with these arguments. */
export interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** Its tests are counted one by one; else the step counts as one. */
  readonly counted?: boolean;
}

/** Settings of a run. */
export interface RunOptions {
  /** Ends the run after the first step that fails. */
  readonly stopAtFailure: boolean;
  /** Timeout of a step, milliseconds. A step that takes longer hangs and is ended. */
  readonly stepTimeout: number;
  /** Needs that a test must not be skipped for; undefined where every skip is allowed. */
  readonly expectedNeeds: readonly string[] | undefined;
  /** Environment of the steps, added to this process's own. */
  readonly env: Readonly<Record<string, string>>;
}

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skips: readonly Skip[];
  /** Failures on one line each. */
  readonly failures: readonly string[];
}

/** Runs the steps and prints the summary. Returns whether nothing failed. */
export async function runSteps(steps: readonly Step[], options: RunOptions): Promise<boolean> {
  const tallies: Tally[] = [];
  for (const [index, step] of steps.entries()) {
    console.log(`== ${index + 1}/${steps.length} ${step.name}`);
    const started = performance.now();
    const tally = await runStep(step, options);
    tallies.push(tally);
    console.log(`-- ${step.name}: ${counts(tally)}, ${duration(performance.now() - started)}`);
    if (tally.failed > 0 && options.stopAtFailure) {
      const left = steps.slice(index + 1).map(({ name }) => name);
      if (left.length > 0) console.log(`not started, because it failed: ${left.join(", ")}`);
      break;
    }
  }
  for (const failure of tallies.flatMap(({ failures }) => failures)) {
    console.log(`failed: ${failure}`);
  }
  const skips = tallies.flatMap((tally) => tally.skips);
  for (const line of linesOf(skips)) console.log(line);
  const unexpected = options.expectedNeeds === undefined
    ? []
    : unexpectedSkips(skips, options.expectedNeeds);
  for (const { name, need } of unexpected) {
    console.log(`failed: skipped, but tests/expected_needs has ${need ?? "no such need"}: ${name}`);
  }
  const total = tallies.reduce(
    (sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }),
    { passed: 0, failed: unexpected.length },
  );
  const skipped = skips.length - unexpected.length;
  console.log(`${total.passed} passed, ${total.failed} failed, ${skipped} skipped`);
  return total.failed === 0;
}

async function runStep(step: Step, { stepTimeout, env }: RunOptions): Promise<Tally> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const timeout = AbortSignal.timeout(stepTimeout);
  try {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...step.args.slice(0, 1),
        ...(step.counted ? [`--junit-path=${report}`] : []),
        ...step.args.slice(1),
      ],
      env: { NO_COLOR: "1", ...env },
      signal: timeout,
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    if (timeout.aborted) {
      const hangs = `${step.name}: it hangs; it was ended after ${duration(stepTimeout)}`;
      return { passed: 0, failed: 1, skips: [], failures: [hangs] };
    }
    const { passed, failed, skips, failures } = step.counted
      ? readReport(await Deno.readTextFile(report))
      : { passed: success ? 1 : 0, failed: success ? 0 : 1, skips: [], failures: [] };
    // A step in which no test ran has not passed.
    const nothing = step.counted && passed + skips.length === 0 && failed === 0;
    const failing = failed > 0 ? failed : nothing || !success ? 1 : 0;
    const named = failing > 0 && failures.length === 0 ? [step.name] : failures;
    return { passed, failed: failing, skips, failures: named };
  } finally {
    await Deno.remove(report);
  }
}

/** Counts the tests of a JUnit report, and names those that were skipped or failed. */
function readReport(xml: string): Tally {
  const sum = (attribute: string) =>
    [...xml.matchAll(new RegExp(`<testsuite [^>]*\\b${attribute}="(\\d+)"`, "g"))]
      .reduce((total, match) => total + Number(match[1]), 0);
  const skips = [...xml.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<skipped/g)]
    .map(([, name = ""]) => readSkip(unescapeXml(name)));
  const failures = [...xml.matchAll(
    /<testcase name="([^"]*)" classname="([^"]*)"[^>]*>\s*<(?:failure|error) message="([^"]*)"/g,
  )].map(([, name, file, message]) => unescapeXml(`${file}: ${name}: ${message}`));
  const failed = sum("failures") + sum("errors");
  return { passed: sum("tests") - failed - sum("disabled"), failed, skips, failures };
}

/** Returns the text on one line, because programs read the runner's last lines. */
function unescapeXml(text: string): string {
  const named: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'" };
  return text
    .replaceAll(/&(lt|gt|quot|apos);/g, (whole, name) => named[name] ?? whole)
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll("&amp;", "&")
    .replaceAll(/\s+/g, " ");
}

function counts({ passed, failed, skips }: Tally): string {
  return `${passed} passed, ${failed} failed, ${skips.length} skipped`;
}

function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
