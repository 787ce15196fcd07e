import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "./binary.ts";
import { type Need, NEEDS, PROBED, whyMissing } from "./needs.ts";
import { linesOf, readExpectedNeeds, readSkip, unexpectedSkips } from "./skips.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

const NEEDS_MODULE = fileURLToPath(new URL("needs.ts", import.meta.url));
const CONFIGURATION = fileURLToPath(new URL("../../deno.json", import.meta.url));
const EXPECTED = new URL("../expected_needs", import.meta.url);

Deno.test("testWith() skips a test whose need is missing, with need and reason, and runs others", async () => {
  using directory = new TemporaryDirectory();
  const test = directory.write(
    "some_test.ts",
    `import { testWith } from ${JSON.stringify(NEEDS_MODULE)};
     testWith(["program:sh", "program:no-such"], "first", () => { throw new Error("it ran"); });
     testWith(["program:sh"], "second", () => {});
     testWith(["root"], "third", () => { throw new Error("it ran"); });`,
  );
  const { code, stdout } = await runProgram(
    Deno.execPath(),
    ["test", "--cached-only", "-A", "--no-check", "--config", CONFIGURATION, test],
    {
      env: {
        DENO_DIR: Deno.env.get("DENO_DIR") ?? "",
        NO_COLOR: "1",
        [PROBED]: JSON.stringify({ root: "the runner's probe failed" }),
      },
    },
  );
  assertEquals(code, 0, stdout);
  assertMatch(
    stdout,
    /first \(not run: program:no-such: no-such is not installed\) \.\.\. ignored/,
  );
  assertMatch(stdout, /third \(not run: root: the runner's probe failed\) \.\.\. ignored/);
  assertMatch(stdout, /1 passed \| 0 failed \| 2 ignored/);
});

Deno.test("whyMissing() throws for a need that is not in the table", () => {
  assertThrows(() => whyMissing("no-such-need" as Need), Error, "no such need: no-such-need");
});

Deno.test("expected_needs lists needs of the table only, each once", () => {
  const expected = readExpectedNeeds(Deno.readTextFileSync(EXPECTED));
  assertEquals(expected.filter((need) => need !== "program:*" && !NEEDS.includes(need)), []);
  assertEquals(new Set(expected).size, expected.length);
});

Deno.test("readSkip() reads the name that testWith() makes, and any other", () => {
  const cases:
    readonly (readonly [name: string, test: string, need: string | undefined, reason: string])[] = [
      ["a (b) (not run: root: not root)", "a (b)", "root", "not root"],
      ["a (not run: program:x-y.z: gone)", "a", "program:x-y.z", "gone"],
      ["a (not run: /usr/bin/x is not installed)", "a", undefined, "/usr/bin/x is not installed"],
      ["a", "a", undefined, "no reason stated"],
    ];
  for (const [name, test, need, reason] of cases) {
    assertEquals(readSkip(name), { name: test, need, reason });
  }
});

Deno.test("skips are counted by reason, and those of expected needs or without a need are unexpected", () => {
  const skips = [
    { name: "a", need: "wine", reason: "no wine" },
    { name: "b", need: "root", reason: "not root" },
    { name: "c", need: "root", reason: "not root" },
    { name: "d", need: "program:x", reason: "no x" },
    { name: "e", need: undefined, reason: "no reason stated" },
  ];
  assertEquals(linesOf(skips), [
    "skipped: 2 tests: root: not root",
    "skipped: 1 test: wine: no wine",
    "skipped: 1 test: program:x: no x",
    "skipped: 1 test: no reason stated",
  ]);
  const names = (expected: readonly string[]) =>
    unexpectedSkips(skips, expected).map(({ name }) => name);
  assertEquals(names([]), ["e"]);
  assertEquals(names(["root"]), ["b", "c", "e"]);
  assertEquals(names(["program:*"]), ["d", "e"]);
});
