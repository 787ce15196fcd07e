import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "./binary.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

const CONFIGURATION = fileURLToPath(new URL("../../deno.json", import.meta.url));
const MODULES = Object.fromEntries(
  ["runner.ts", "needs.ts"].map((name) => [name, fileURLToPath(new URL(name, import.meta.url))]),
);

/** Test files of the runs below, and what they do. */
const FILES: Readonly<Record<string, string>> = {
  passes: `Deno.test("one", () => {}); Deno.test("two", () => {});`,
  fails: `Deno.test("good", () => {}); Deno.test("bad", () => { throw new Error("a\\nb"); });`,
  hangs: `Deno.test("stuck", async () => {
    await new Deno.Command("sleep", { args: ["600"] }).output();
  });`,
  hangs2: `Deno.test("passes before", () => {}); Deno.test("stuck, too", async () => {
    await new Deno.Command("sleep", { args: ["600"] }).output();
  });`,
  skips: `import { testWith } from ${JSON.stringify(MODULES["needs.ts"])};
    testWith(["program:no-such"], "x", () => {});
    testWith(["program:no-such"], "y", () => {});
    Deno.test("z", () => {});`,
  unstated: `Deno.test({ name: "secret", ignore: true, fn() {} }); Deno.test("z", () => {});`,
  leaves: `Deno.test("leaves", async () => {
    await Deno.makeTempFile({ suffix: "-left" });
    await new Deno.Command("sh", {
      args: ["-c", "setsid sleep 601 >/dev/null 2>&1 &"],
    }).output();
  });`,
  environment: `Deno.test("environment", () => {
    for (const name of ["AWS_PROFILE", "HTTPS_PROXY", "CI", "SSL_CERT_FILE", "XDG_CACHE_HOME"]) {
      if (Deno.env.get(name) !== undefined) throw new Error(name);
    }
    if (Deno.env.get("LC_ALL") !== "C.UTF-8") throw new Error("locale");
    Deno.writeTextFileSync(Deno.env.get("HOME") + "/written", "");
  });`,
  empty: "",
  broken: "throw new Error('it does not load');",
};

/** Runs the runner on steps of these files; a list is one step, with a process for each file. */
async function run(
  names: readonly (string | readonly string[])[],
  options: { stopAtFailure?: boolean; expectedNeeds?: readonly string[]; batchTimeout?: number } =
    {},
  env: Readonly<Record<string, string>> = {},
) {
  using directory = new TemporaryDirectory();
  const TEST = ["test", "--quiet", "--cached-only", "-A", "--no-check", "--config", CONFIGURATION];
  const write = (name: string) => directory.write(`${name}_test.ts`, FILES[name] ?? "");
  const steps = names.map((name) =>
    typeof name === "string"
      ? { name: `step ${name}`, args: [...TEST, write(name)], counted: true }
      : {
        name: `step ${name.join("+")}`,
        args: TEST,
        counted: true,
        batches: name.map((each) => [write(each)]),
      }
  );
  const settings = {
    stopAtFailure: false,
    stepTimeout: 8_000,
    batchTimeout: 60_000,
    grace: 500,
    lanes: 2,
    env: {},
    ...options,
  };
  const program = directory.write(
    "run.ts",
    `import { runSteps } from ${JSON.stringify(MODULES["runner.ts"])};
     const passed = await runSteps(${JSON.stringify(steps)}, ${JSON.stringify(settings)});
     Deno.exit(passed ? 0 : 1);`,
  );
  const { code, stdout, stderr } = await runProgram(
    Deno.execPath(),
    ["run", "--quiet", "--cached-only", "-A", "--no-check", "--config", CONFIGURATION, program],
    { env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? "", NO_COLOR: "1", ...env } },
  );
  const lines = stdout.trimEnd().split("\n");
  return { code, stdout, stderr, lines, last: lines.at(-1) };
}

Deno.test("the runner shows each step's number, name and time, and ends with the tally", async () => {
  const { code, stdout, stderr, last } = await run(["passes", "skips"]);
  assertEquals([code, last], [0, "3 passed, 0 failed, 2 skipped"], stderr);
  assertMatch(stdout, /^== 1\/2 step passes\n/m);
  assertMatch(
    stdout,
    /^-- step passes: 2 passed, 0 failed, 0 skipped, \d+ s\n== 2\/2 step skips\n/m,
  );
  assertMatch(stdout, /^skipped: 2 tests: program:no-such: no-such is not installed\n/m);
});

Deno.test("the runner's summary starts with what failed, after all steps", async () => {
  const { code, lines, last } = await run(["fails", "skips"]);
  assertEquals([code, last], [1, "2 passed, 1 failed, 2 skipped"]);
  const summary = lines.slice(lines.findIndex((line) => line.startsWith("-- step skips")) + 1);
  assertMatch(summary[0] ?? "", /^failed: \S*fails_test\.ts: bad: .*a b/);
  assertMatch(summary[1] ?? "", /^skipped: 2 tests/);
});

Deno.test("the runner stops at the first failing step if asked to, and names what it left out", async () => {
  const { code, stdout, last } = await run(["fails", "passes"], { stopAtFailure: true });
  assertEquals([code, last], [1, "1 passed, 1 failed, 0 skipped"]);
  assertStringIncludes(stdout, "\nnot started, because it failed: step passes\n");
});

Deno.test("the runner ends a step that hangs, and names it", async () => {
  const { code, stdout, last } = await run(["hangs", "passes"]);
  assertEquals([code, last], [1, "2 passed, 1 failed, 0 skipped"]);
  assertStringIncludes(stdout, "\nfailed: step hangs: it hangs; it was ended after 8 s\n");
});

Deno.test("a step of several processes prints each in one piece, and counts all", async () => {
  const { code, stdout, lines, last } = await run([["passes", "fails", "skips", "empty"]]);
  assertEquals([code, last], [1, "4 passed, 2 failed, 2 skipped"], stdout);
  assertMatch(stdout, /^running 2 tests .*passes_test\.ts\none \.\.\. ok .*\ntwo \.\.\. ok /m);
  const failed = lines.filter((line) => line.startsWith("failed: "));
  assertMatch(failed[0] ?? "", /fails_test\.ts: bad: /);
  assertMatch(failed[1] ?? "", /step passes\+fails\+skips\+empty \S*empty_test\.ts$/);
});

Deno.test("a file that hangs is ended and named with its test, and the files after it are run", async () => {
  const { code, stdout, last } = await run(
    [["hangs", "hangs2", "passes", "skips"], "passes"],
    { batchTimeout: 5_000 },
  );
  assertEquals([code, last], [1, "5 passed, 2 failed, 2 skipped"], stdout);
  assertMatch(
    stdout,
    /^failed: step \S+ \S*hangs_test\.ts: it hangs in "stuck"; it was ended after \d+ s$/m,
  );
});

Deno.test("a step of several processes ends at its timeout, and names the files that hang or did not start", async () => {
  const { code, stdout, last } = await run([["passes", "hangs", "hangs2", "fails"], "passes"]);
  assertEquals([code, last], [1, "4 passed, 3 failed, 0 skipped"], stdout);
  assertMatch(
    stdout,
    /^failed: step \S+ \S*hangs_test\.ts: it hangs in "stuck"; it was ended after/m,
  );
  assertMatch(stdout, /^failed: step \S+: not started: \S*fails_test\.ts$/m);
});

Deno.test("a skip fails the run if the need is expected or none is stated, and only then", async () => {
  const cases: readonly (readonly [
    string,
    readonly string[] | undefined,
    number,
    string,
  ])[] = [
    ["skips", [], 0, "1 passed, 0 failed, 2 skipped"],
    ["skips", ["program:*"], 1, "1 passed, 2 failed, 0 skipped"],
    ["unstated", undefined, 0, "1 passed, 0 failed, 1 skipped"],
    ["unstated", [], 1, "1 passed, 1 failed, 0 skipped"],
  ];
  for (const [name, expectedNeeds, code, tally] of cases) {
    const result = await run([name], expectedNeeds ? { expectedNeeds } : {});
    assertEquals([result.code, result.last], [code, tally], result.stdout);
  }
});

Deno.test("a step in which no test ran or whose file does not load has failed", async () => {
  for (const name of ["empty", "broken"]) {
    const { code, last } = await run([name]);
    assertEquals([name, code], [name, 1]);
    assertMatch(last ?? "", /^0 passed, [12] failed, 0 skipped$/);
  }
});

Deno.test("the runner fails and names the traces of a step: a process, which is ended, and a file", async () => {
  const { code, stdout, last } = await run(["leaves"]);
  assertEquals([code, last], [1, "1 passed, 2 failed, 0 skipped"]);
  assertMatch(
    stdout,
    /^failed: step leaves: a process was left behind and ended: \d+ sleep 601\n/m,
  );
  assertMatch(stdout, /^failed: left behind: \S+-left\n/m);
  const pid = Number(/ended: (\d+)/.exec(stdout)?.[1]);
  assertThrows(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound);
});

Deno.test("a step gets no variables that could disturb its tests, and a home that goes away", async () => {
  using home = new TemporaryDirectory();
  const hostile = {
    ...{ AWS_PROFILE: "x", HTTPS_PROXY: "http://127.0.0.1:9", CI: "true", LC_ALL: "C" },
    ...{ SSL_CERT_FILE: "/none", XDG_CACHE_HOME: "/none", HOME: home.path },
  };
  const { code, last, stdout } = await run(["environment"], {}, hostile);
  assertEquals([code, last], [0, "1 passed, 0 failed, 0 skipped"], stdout);
  assertEquals([...Deno.readDirSync(home.path)], []);
});
