import { assert, assertEquals, assertGreater } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { SwappingUser } from "../support/swapping_user.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const RUNS = 500;

for (const swaps of ["file", "directory"] as const) {
  testWith(
    ["other-user"],
    `writeProfile() by root does not expose root's files to a user who swaps the ${swaps}`,
    async () => {
      using directory = new TemporaryDirectory();
      await using user = await SwappingUser.start(swaps, directory);
      const { stdout, stderr } = await runProgram(Deno.execPath(), [
        ...["run", "--quiet", "--cached-only", "--allow-all", "--no-check"],
        fileURLToPath(new URL("../support/write_profiles.ts", import.meta.url)),
        ...[user.credentials, String(RUNS)],
      ], { env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? "" } });
      assertEquals(stderr, "");
      assertEquals(await user.stop(), "nothing of root's was read or changed");
      const outcomes: Record<string, number> = JSON.parse(stdout);
      // Both outcomes happened, so the swaps overlapped the runs.
      assertGreater(outcomes["written"] ?? 0, 0, stdout);
      assert(Object.keys(outcomes).some((outcome) => outcome.includes("run this as")), stdout);
    },
  );
}
