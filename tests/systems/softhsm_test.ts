import { assertEquals, assertMatch } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { SOFTHSM } from "../support/pkcs11_modules.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { checkIdentity, issueUnique, runTool, STORE_KEY_TYPES } from "./stored_identity.ts";

const PIN = "123456";

/** Makes a token below the directory. Returns the environment in which programs find it. */
async function makeToken(directory: TemporaryDirectory): Promise<Record<string, string>> {
  const tokens = directory.join("tokens");
  Deno.mkdirSync(tokens);
  const configuration = `directories.tokendir = ${tokens}\nlog.level = ERROR\n`;
  const env = { SOFTHSM2_CONF: directory.write("softhsm2.conf", configuration) };
  // deno-fmt-ignore
  await softhsm(env, [
    "--init-token", "--free", "--label", "system", "--pin", PIN, "--so-pin", "87654321",
  ]);
  return env;
}

async function softhsm(env: Record<string, string>, args: readonly string[]): Promise<void> {
  await runTool("softhsm2-util", ["--module", SOFTHSM, ...args], env);
}

for (const [i, keyType] of STORE_KEY_TYPES.entries()) {
  testWith(
    ["binary", "softhsm-module"],
    `pkcs11: ${keyType} key in a real SoftHSM: selftest, sign-string, credential-process`,
    async () => {
      await using scenario = await SessionScenario.create();
      using directory = new TemporaryDirectory();
      const env = await makeToken(directory);
      const { files } = await issueUnique(scenario, keyType);
      // deno-fmt-ignore
      await softhsm(env, [
        "--import", files.keyPath, "--token", "system", "--pin", PIN,
        "--label", keyType, "--id", `0${i}`,
      ]);
      const uri = `pkcs11:token=system;object=${keyType}`;
      const flags = (key: string) => [
        ...["--certificate", files.certificatePath],
        ...["--private-key", key, "--pkcs11-lib", SOFTHSM],
      ];
      await checkIdentity(scenario, {
        files,
        keyType,
        flags: flags(`${uri}?pin-value=${PIN}`),
        env,
      });
      const wrong = await runBinary(["sign-string", ...flags(`${uri}?pin-value=0000`)], { env });
      assertEquals(wrong.stdout, "");
      assertMatch(wrong.stderr, /^aws_signing_helper: [^\n]*PIN[^\n]*\n$/);
    },
  );
}
