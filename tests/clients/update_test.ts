import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

import { QUOTED_BINARY, runBinary, runProgram } from "../support/binary.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { JAVASCRIPT_CLIENT, PYTHON } from "../support/tools.ts";

const scriptOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Returns the credentials that boto3 and the AWS SDK for JavaScript find in this environment. */
async function readBySdks(env: Record<string, string>) {
  // Node looks for packages next to the script.
  const script = `${JAVASCRIPT_CLIENT}print_credentials.mjs`;
  await Deno.copyFile(scriptOf("javascript/print_credentials.mjs"), script);
  const commands = [
    [PYTHON, scriptOf("python/print_credentials.py")],
    ["node", script],
  ] as const;
  return await Promise.all(commands.map(async ([program, script]) => {
    const { code, stdout, stderr } = await runProgram(program, [script], {
      env: { ...env, AWS_EC2_METADATA_DISABLED: "true", NODE_NO_WARNINGS: "1" },
    });
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    const { accessKeyId, secretAccessKey, sessionToken } = JSON.parse(stdout);
    return { accessKeyId, secretAccessKey, sessionToken };
  }));
}

for (
  const [profile, before] of [
    ["default", ""],
    [
      "build-server",
      "# mine\r\n[default]\r\nregion = eu-west-1\r\n\r\n[build-server]\r\noutput = json",
    ],
    ["legacy", "[legacy]\naws_security_token = old\naws_access_key_id=AKIA\n"],
  ] as const
) {
  Deno.test(`boto3 and the AWS SDK for JavaScript read the profile ${profile} that update has written`, async () => {
    await using scenario = await SessionScenario.create();
    const file = scenario.directory.write("credentials", before);
    const env = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: profile };
    const { code } = await runBinary(["update", ...scenario.flags, "--once"], { env });
    assertEquals(code, 0);
    const [issued] = scenario.emulator.issued;
    const { accessKeyId, secretAccessKey, sessionToken } = issued ?? {};
    const expected = { accessKeyId, secretAccessKey, sessionToken };
    const config = scenario.directory.write("config", "");
    assertEquals(await readBySdks({ ...env, AWS_CONFIG_FILE: config }), [expected, expected]);
  });
}

Deno.test("boto3 and the AWS SDK for JavaScript share one session by credential-process --cache", async () => {
  await using scenario = await SessionScenario.create();
  const config = scenario.directory.write(
    "config",
    `[default]\ncredential_process = ${QUOTED_BINARY} credential-process --cache --cache-dir ` +
      `${scenario.directory.join("cache")} ${scenario.flags.join(" ")}\n`,
  );
  const [python, javascript] = await readBySdks({
    AWS_CONFIG_FILE: config,
    AWS_SHARED_CREDENTIALS_FILE: scenario.directory.join("none"),
  });
  assertEquals(python, javascript);
  assertEquals(python?.accessKeyId, scenario.emulator.issued[0]?.accessKeyId);
  assertEquals(scenario.emulator.requests.length, 1);
});
