import { assertEquals, assertGreater } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { fileURLToPath } from "node:url";

import { setCredentials } from "../../src/credentials/profile/profile_text.ts";
import { HelperError } from "../../src/errors.ts";
import { runProgram } from "../support/binary.ts";
import { generateCredentialsFile } from "../support/generated_credentials_file.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON } from "../support/tools.ts";
import { seededRandom } from "../x509/seeded_random.ts";

const FILES = 4000;
const SEED = 20260101;

const JUDGE = fileURLToPath(new URL("python/judge_profiles.py", import.meta.url));

/** Generates a file, before and after, for judge_profiles.py. */
function makeCase(pick: (bound: number) => number, number: number) {
  const { text, profile } = generateCredentialsFile(pick);
  const credentials = {
    accessKeyId: `ASIA${number}`,
    secretAccessKey: `new/secret+${number}`,
    sessionToken: `new//token+${number}==`,
    expiration: new Date(0),
  };
  let after: string | null;
  try {
    after = setCredentials(text, profile, credentials, "the file");
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    after = null;
  }
  return {
    before: encodeBase64(text),
    after: after === null ? null : encodeBase64(after),
    profile,
    keys: {
      aws_access_key_id: credentials.accessKeyId,
      aws_secret_access_key: credentials.secretAccessKey,
      aws_session_token: credentials.sessionToken,
    },
  };
}

Deno.test(`setCredentials() sets the new keys for botocore and keeps the rest of ${FILES} generated files`, async () => {
  using directory = new TemporaryDirectory();
  const pick = seededRandom(SEED);
  const lines = Array.from({ length: FILES }, (_, i) => `${JSON.stringify(makeCase(pick, i))}\n`);
  const file = directory.write("cases", lines.join(""));
  const { code, stdout, stderr } = await runProgram(PYTHON, [JUDGE, file]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const { counts, problems } = JSON.parse(stdout);
  assertEquals(problems.slice(0, 3), []);
  // Every kind occurred often enough.
  assertGreater(counts.botocore, 2000);
  assertGreater(counts.lenient, 2500);
  for (const kind of ["appended", "inserted", "replaced"]) assertGreater(counts[kind], 300, kind);
  assertGreater(counts.refused, 20);
});
