/**
 * Writes a profile repeatedly, like `update`, for the tests with a hostile user.
 *
 * Usage: write_profiles.ts FILE RUNS; prints the numbers of runs that wrote and that refused, as JSON.
 *
 * @module
 */
import { writeProfile } from "../../src/credentials/profile/profile_file.ts";
import { HelperError } from "../../src/errors.ts";
import { REAL_CLOCKS } from "./real_clocks.ts";

const [path = "", runs = ""] = Deno.args;
const credentials = {
  accessKeyId: "ID",
  secretAccessKey: "SECRET",
  sessionToken: "TOKEN",
  expiration: new Date(0),
};
const outcomes: Record<string, number> = {};
for (let run = 0; run < Number(runs); run++) {
  let outcome = "written";
  try {
    await writeProfile({ path, profile: "p", credentials, account: "111122223333" }, REAL_CLOCKS);
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    outcome = thrown.message.replaceAll(/\/[^ ;:]+/g, "PATH");
  }
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(outcomes)));
