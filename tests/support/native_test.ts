import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "./binary.ts";
import { missing } from "./native.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

const NATIVE = fileURLToPath(new URL("native.ts", import.meta.url));
const CONFIGURATION = fileURLToPath(new URL("../../deno.json", import.meta.url));

Deno.test("missing() names what is not there, and nothing when all is", () => {
  assertEquals(missing("sh", "/bin/sh"), undefined);
  assertEquals(missing("sh", "no-such-program"), "no-such-program is not installed");
  assertEquals(missing("/nowhere/x", "y-z"), "/nowhere/x, y-z is not installed");
});

Deno.test("testWith() shows a test that cannot run as skipped, with its reason, and runs others", async () => {
  using directory = new TemporaryDirectory();
  const test = directory.write(
    "some_test.ts",
    `import { missing, testWith } from ${JSON.stringify(NATIVE)};
     testWith(missing("no-such-program"), "first", () => { throw new Error("it ran"); });
     testWith(missing("sh"), "second", () => {});`,
  );
  const { code, stdout } = await runProgram(
    Deno.execPath(),
    ["test", "--cached-only", "-A", "--no-check", "--config", CONFIGURATION, test],
    { env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? "", NO_COLOR: "1" } },
  );
  assertEquals(code, 0);
  assertStringIncludes(stdout, "first (not run: no-such-program is not installed) ... ignored");
  assertMatch(stdout, /1 passed \| 0 failed \| 1 ignored/);
});
