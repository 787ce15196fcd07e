// deno-lint-ignore-file no-console -- a test runner talks to the terminal it runs in
/**
 * Runner of checks and tests. It prints each step with its number, name and time, then a summary.
 * The summary starts with what failed and ends with `N passed, N failed, N skipped`.
 *
 * @module
 */
import { Descendants, type Leftover, RunFolder } from "./trace.ts";
import { linesOf, readSkip, type Skip, unexpectedSkips } from "./skips.ts";

/** One run of `deno` with these arguments. */
export interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** Counts its tests one by one; otherwise the step counts as one. */
  readonly counted?: boolean;
  /** Tests that the filter leaves out are not skips; they state no reason. */
  readonly filtered?: boolean;
  /**
   * Test files of one process each, added to the arguments. {@link RunOptions.lanes} processes run
   * at a time, in this order. The output of each is printed when it ends. Undefined: one process.
   */
  readonly batches?: readonly (readonly string[])[];
}

/** Settings of a run. */
export interface RunOptions {
  /** Ends the run after the first step that fails. */
  readonly stopAtFailure: boolean;
  /** Timeout of a step, milliseconds. A step that takes longer hangs and is ended. */
  readonly stepTimeout: number;
  /**
   * Timeout of one process of a step with batches, milliseconds. It is ended, and the others continue:
   * the tests after one that hangs are counted.
   */
  readonly batchTimeout: number;
  /** Time in which processes that a step started must end after it, milliseconds. */
  readonly grace: number;
  /** Needs that a test must not be skipped for; undefined where every skip is allowed. */
  readonly expectedNeeds: readonly string[] | undefined;
  /** Processes at a time in a step with batches. */
  readonly lanes: number;
  /** Environment of the steps, added to what {@link KEPT} takes from this process's own. */
  readonly env: Readonly<Record<string, string>>;
}

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skips: readonly Skip[];
  /** Failures on one line each. */
  readonly failures: readonly string[];
  /** Ended at its timeout. */
  readonly hung?: boolean;
}

/** Variables that steps inherit. Others could disturb the tests: AWS settings, proxies, locales. */
const KEPT = [
  ...["PATH", "TERM", "USER", "LOGNAME", "SHELL", "JAVA_HOME", "GOROOT", "RUSTUP_HOME"],
  ...["DENO_DIR", "DENO_TLS_CA_STORE", "DENO_NO_UPDATE_CHECK"],
  // A test builds again and compares with what `make` built.
  ...["SOURCE_DATE_EPOCH", "RELEASE_URL"],
];

/** Time for the output of a process that has ended, milliseconds. */
const OUTPUT_TIMEOUT = 2_000;

/** Maximum length of a failure in the summary, characters. */
const MAX_FAILURE_LENGTH = 1_000;

/**
 * Command that starts a program without descriptors that flock, make or a terminal left open for
 * it.
 */
const WITHOUT_DESCRIPTORS = 'exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec "$@"';

/** Folders of programs that an ordinary user's PATH lacks. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Runs the steps and prints the summary. Returns true if nothing failed. */
export async function runSteps(steps: readonly Step[], options: RunOptions): Promise<boolean> {
  const tallies: Tally[] = [];
  using folder = new RunFolder();
  using descendants = new Descendants();
  endOnSignal(folder, descendants);
  const env = environment(folder, options.env);
  for (const [index, step] of steps.entries()) {
    console.log(`== ${index + 1}/${steps.length} ${step.name}`);
    const started = performance.now();
    const tally = await runStep(step, { ...options, env }, descendants);
    tallies.push(tally);
    console.log(`-- ${step.name}: ${counts(tally)}, ${duration(performance.now() - started)}`);
    if (tally.failed > 0 && options.stopAtFailure) {
      const left = steps.slice(index + 1).map(({ name }) => name);
      if (left.length > 0) console.log(`not started, because it failed: ${left.join(", ")}`);
      break;
    }
  }
  tallies.push(traceTally(folder));
  for (const failure of tallies.flatMap(({ failures }) => failures)) {
    console.log(`failed: ${failure.slice(0, MAX_FAILURE_LENGTH)}`);
  }
  const skips = tallies.flatMap((tally) => tally.skips);
  for (const line of linesOf(skips)) console.log(line);
  const unexpected = options.expectedNeeds === undefined
    ? []
    : unexpectedSkips(skips, options.expectedNeeds);
  for (const { name, need } of unexpected) {
    console.log(`failed: skipped, but tests/expected_needs has ${need ?? "no such need"}: ${name}`);
  }
  const failed = sum(tallies, "failed") + unexpected.length;
  const skipped = skips.length - unexpected.length;
  console.log(`${sum(tallies, "passed")} passed, ${failed} failed, ${skipped} skipped`);
  return failed === 0;
}

async function runStep(
  step: Step,
  { stepTimeout, batchTimeout, grace, lanes, env }: RunOptions,
  descendants: Descendants,
): Promise<Tally> {
  const timeout = AbortSignal.timeout(stepTimeout);
  const tallies: Tally[] = [];
  const waiting = [...step.batches ?? [[]]];
  const isAlone = waiting.length === 1;
  const runLane = async () => {
    while (!timeout.aborted) {
      const files = waiting.shift();
      if (files === undefined) break;
      const signal = isAlone
        ? timeout
        : AbortSignal.any([timeout, AbortSignal.timeout(batchTimeout)]);
      tallies.push(await runBatch(step, files, { isAlone, timeout: signal, env }, descendants));
    }
  };
  await Promise.all(Array.from({ length: lanes }, runLane));
  const left = await descendants.end(timeout.aborted ? 0 : grace);
  // A process that hung had no time to end its own.
  const processes = tallies.some(({ hung }) => hung)
    ? []
    : left.map((each) => `${step.name}: ${describe(each)}`);
  const notStarted = waiting.length > 0 ? [`${step.name}: not started: ${waiting.join(" ")}`] : [];
  return {
    passed: sum(tallies, "passed"),
    failed: sum(tallies, "failed") + processes.length + notStarted.length,
    skips: tallies.flatMap(({ skips }) => skips),
    failures: [...tallies.flatMap(({ failures }) => failures), ...processes, ...notStarted],
  };
}

/** Runs one process of a step, and counts its tests. */
async function runBatch(
  step: Step,
  files: readonly string[],
  { isAlone, timeout, env }: {
    isAlone: boolean;
    timeout: AbortSignal;
    env: RunOptions["env"];
  },
  descendants: Descendants,
): Promise<Tally> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const started = performance.now();
  const output = isAlone ? "inherit" : "piped";
  try {
    const child = new Deno.Command("sh", {
      args: [
        ...["-c", WITHOUT_DESCRIPTORS, "sh", Deno.execPath()],
        ...step.args.slice(0, 1),
        ...(step.counted ? [`--junit-path=${report}`] : []),
        ...step.args.slice(1),
        ...files,
      ],
      clearEnv: true,
      env,
      signal: timeout,
      stdin: "null",
      stdout: output,
      stderr: output,
    }).spawn();
    descendants.started(child.pid);
    const { success, running } = isAlone
      ? { ...await child.status, running: undefined }
      : await collected(child, timeout);
    const name = [step.name, ...files].join(" ");
    // The report is written at the end of the process; without it the process's tests are not known.
    if (timeout.aborted && !success) {
      const after = duration(performance.now() - started);
      const test = running === undefined ? "" : ` in "${running}"`;
      const hangs = `${name}: it hangs${test}; it was ended after ${after}`;
      return { passed: 0, failed: 1, skips: [], failures: [hangs], hung: true };
    }
    const { passed, failed, skips, failures } = step.counted
      ? readReport(await Deno.readTextFile(report), step.filtered)
      : { passed: success ? 1 : 0, failed: success ? 0 : 1, skips: [], failures: [] };
    // A process in which no test ran has not passed.
    const nothing = step.counted && passed + skips.length === 0 && failed === 0;
    const failing = failed > 0 ? failed : nothing || !success ? 1 : 0;
    const named = failing > 0 && failures.length === 0 ? [name] : failures;
    return { passed, failed: failing, skips, failures: named };
  } finally {
    await Deno.remove(report);
  }
}

/**
 * Prints both outputs of a process as one piece when it ends, or the output so far at the timeout.
 * A process that it left running may keep them open. Returns success, and the test that was
 * running.
 */
async function collected(
  child: Deno.ChildProcess,
  timeout: AbortSignal,
): Promise<{ success: boolean; running: string | undefined }> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const piece of stream) pieces.push(piece);
  };
  const all = Promise.all([collect(child.stdout), collect(child.stderr)]).catch(() => {});
  const { success } = await child.status;
  const over = new Promise((resolve) => {
    const timer = setTimeout(resolve, OUTPUT_TIMEOUT);
    Deno.unrefTimer(timer);
    timeout.addEventListener("abort", resolve);
  });
  await Promise.race([all, over]);
  const output = pieces.splice(0);
  for (const piece of output) writeAll(piece);
  return { success, running: await runningTest(output) };
}

/** Returns the name of the last test that began and did not end, by Deno's output. */
async function runningTest(output: Uint8Array<ArrayBuffer>[]): Promise<string | undefined> {
  const lines = (await new Blob(output).text()).split("\n");
  return lines.map((line) => /^(.*\S) \.\.\.\s*$/.exec(line)?.[1]).findLast((name) =>
    name !== undefined
  );
}

function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

function sum(tallies: readonly Tally[], count: "passed" | "failed"): number {
  return tallies.reduce((total, tally) => total + tally[count], 0);
}

/** Returns a failure for each trace that the run left. */
function traceTally(folder: RunFolder): Tally {
  const failures = folder.traces().map((trace) => `left behind: ${trace}`);
  return { passed: 0, failed: failures.length, skips: [], failures };
}

function describe({ pid, command }: Leftover): string {
  return `a process was left behind and ended: ${pid} ${command}`;
}

function environment(folder: RunFolder, env: RunOptions["env"]): Record<string, string> {
  const kept = KEPT.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const git = `${Deno.env.get("HOME") ?? ""}/.gitconfig`;
  return {
    ...Object.fromEntries(kept),
    PATH: [...new Set([...(Deno.env.get("PATH") ?? "").split(":"), ...SYSTEM_FOLDERS])].join(":"),
    HOME: folder.join("home"),
    TMPDIR: folder.path,
    LC_ALL: "C.UTF-8",
    NO_COLOR: "1",
    // The date of a build is the commit's, and git may need its owner's settings to read it.
    ...(isFile(git) ? { GIT_CONFIG_GLOBAL: git } : {}),
    ...env,
  };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Cleans up when the run is interrupted. */
function endOnSignal(folder: RunFolder, descendants: Descendants): void {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    Deno.addSignalListener(signal, async () => {
      await descendants.end(0);
      folder[Symbol.dispose]();
      Deno.exit(code);
    });
  }
}

/** Counts the tests of a JUnit report, and names those that were skipped or failed. */
function readReport(xml: string, filtered = false): Tally {
  const counted = (attribute: string) =>
    [...xml.matchAll(new RegExp(`<testsuite [^>]*\\b${attribute}="(\\d+)"`, "g"))]
      .reduce((total, match) => total + Number(match[1]), 0);
  const skips = [...xml.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<skipped/g)]
    .map(([, name = ""]) => readSkip(unescapeXml(name)))
    .filter(({ need }) => need !== undefined || !filtered);
  // The class name is the file that calls Deno.test(): a helper's, for testWith(). The stack names the test's.
  const failures = [...xml.matchAll(
    /<testcase name="([^"]*)" classname="([^"]*)"[^>]*>\s*<(?:failure|error) message="([^"]*)"([^<]*)/g,
  )].map(([, name, file, message, stack = ""]) => {
    const [place = file] = stack.match(/tests\/[\w./-]*_test\.ts:\d+/g)?.toReversed() ?? [];
    return unescapeXml(`${place}: ${name}: ${message}`);
  });
  const failed = counted("failures") + counted("errors");
  return { passed: counted("tests") - failed - counted("disabled"), failed, skips, failures };
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
