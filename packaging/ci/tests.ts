// deno-lint-ignore-file no-console -- it prints what it does not run
/**
 * Runs the tests that apply to Windows or macOS. `tests/run.ts` needs Linux.
 *
 * Usage: deno run -A packaging/ci/tests.ts unit|e2e|systems [SYSTEM]
 *
 * With SYSTEM, it runs the list of that system here, so that Linux can check the list.
 *
 * @module
 */
import {
  endToEndOn,
  excludedOn,
  type System,
  systemOf,
  whyNotOn,
} from "../../tests/support/system_differences.ts";
import { isUnitTest, testFilesBelow } from "../../tests/support/test_files.ts";

/** Returns the paths of a kind of tests. Throws if there is no such kind. */
function filesOf(kind: string, system: System): string[] {
  switch (kind) {
    case "unit":
      return testFilesBelow("tests").filter(isUnitTest)
        .filter((path) => whyNotOn(system, path) === undefined);
    case "e2e":
      return endToEndOn(system);
    case "systems":
      return testFilesBelow("tests/systems");
    default:
      throw new Error(`${kind}: not a kind of tests; use unit, e2e or systems`);
  }
}

const [kind = "", name = Deno.build.os] = Deno.args;
try {
  const system = systemOf(name);
  if (kind === "unit") {
    for (const start of excludedOn(system)) {
      console.log(`not run on ${system}: ${start}: ${whyNotOn(system, start)}`);
    }
  }
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--quiet",
      "--cached-only",
      "--allow-all",
      "--no-check",
      ...filesOf(kind, system),
    ],
    env: { NO_COLOR: "1" },
  }).spawn().status;
  Deno.exit(code);
} catch (thrown) {
  console.error(`tests: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  Deno.exit(2);
}
