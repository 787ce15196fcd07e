import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { runBinary, type RunOptions } from "../support/binary.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import type { SessionCredentials } from "../emulator/session.ts";

const section = (profile: string, issued: SessionCredentials | undefined) =>
  `[${profile}]\naws_access_key_id = ${issued?.accessKeyId}\n` +
  `aws_secret_access_key = ${issued?.secretAccessKey}\n` +
  `aws_session_token = ${issued?.sessionToken}\n`;

/** Runs `update --once` with its own home directory in the scenario. */
async function updateOnce(
  scenario: SessionScenario,
  args: readonly string[] = [],
  env: RunOptions["env"] = {},
) {
  const home = scenario.directory.path;
  return await runBinary(["update", ...scenario.flags, "--once", ...args], {
    env: { HOME: home, ...env },
  });
}

const SILENT = { code: 0, stdout: "", stderr: "" };

const outcome = ({ code, stdout, stderr }: Awaited<ReturnType<typeof runBinary>>) => ({
  code,
  stdout,
  stderr,
});

Deno.test("update --once creates ~/.aws/credentials and prints nothing", async () => {
  await using scenario = await SessionScenario.create();
  assertEquals(outcome(await updateOnce(scenario)), SILENT);
  const path = scenario.directory.join(".aws/credentials");
  assertEquals(Deno.readTextFileSync(path), section("default", scenario.emulator.issued[0]));
  const mode = (name: string) => (Deno.statSync(scenario.directory.join(name)).mode ?? 0) & 0o777;
  assertEquals([mode(".aws"), mode(".aws/credentials")], [0o700, 0o600]);
  assertEquals([...Deno.readDirSync(scenario.directory.join(".aws"))].length, 1);
});

Deno.test("update --once reads the profile from its flag, its variable, AWS_PROFILE, or none", async () => {
  await using scenario = await SessionScenario.create();
  const file = scenario.directory.join("shared");
  const env = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: "from AWS" };
  const own = { ...env, AWS_SIGNING_HELPER_PROFILE: "own" };
  assertEquals(outcome(await updateOnce(scenario, [], env)), SILENT);
  assertEquals(outcome(await updateOnce(scenario, [], own)), SILENT);
  assertEquals(outcome(await updateOnce(scenario, ["--profile", "flag"], own)), SILENT);
  assertEquals(
    outcome(await updateOnce(scenario, [], { AWS_SHARED_CREDENTIALS_FILE: file })),
    SILENT,
  );
  const { issued } = scenario.emulator;
  assertEquals(
    Deno.readTextFileSync(file),
    ["from AWS", "own", "flag", "default"].map((name, i) => section(name, issued[i])).join("\n"),
  );
});

Deno.test("update --once changes nothing but the values", async () => {
  await using scenario = await SessionScenario.create();
  const before = "# mine\r\n[other]\r\nAWS_ACCESS_KEY_ID=AKIA\r\n\r\n[default]\r\n" +
    "aws_session_token\t=OLD1 \r\n; and this\r\nregion = eu-west-1\r\naws_access_key_id=OLD2\r\n" +
    "aws_secret_access_key = OLD3\r\n[last]\r\nk = v";
  const path = scenario.directory.write(".aws/credentials", before);
  assertEquals(outcome(await updateOnce(scenario)), SILENT);
  const [issued] = scenario.emulator.issued;
  assert(issued);
  const after = before.replace("OLD1", issued.sessionToken).replace("OLD2", issued.accessKeyId)
    .replace("OLD3", issued.secretAccessKey);
  assertEquals(Deno.readTextFileSync(path), after);
});

Deno.test("update --once warns of a wider mode and of settings with priority", async () => {
  await using scenario = await SessionScenario.create();
  const path = scenario.directory.write(
    ".aws/credentials",
    "[default]\nrole_arn = arn:aws:iam::123456789012:role/Other\n",
    0o644,
  );
  const { code, stdout, stderr } = await updateOnce(scenario);
  assertEquals({ code, stdout }, { code: 0, stdout: "" });
  assertEquals(
    stderr,
    `warning: ${path} can be read by others (mode 644); run chmod 600 ${path}\n` +
      `warning: line 5 of ${path} sets role_arn, which AWS SDKs may follow before the keys of ` +
      "[default]\n",
  );
});

for (
  const [file, header] of [
    [".aws/config", "profile build"],
    [".aws/credentials", "build"],
  ] as const
) {
  Deno.test(`update --once warns of a credential_process in ${file}, which SDKs then ignore`, async () => {
    await using scenario = await SessionScenario.create();
    const path = scenario.directory.write(
      file,
      `[profile other]\noutput = json\n[${header}]\ncredential_process = /bin/false\n`,
    );
    const line = file === ".aws/config" ? `[${header}] in ${path}` : `line 7 of ${path}`;
    const { code, stdout, stderr } = await updateOnce(scenario, ["--profile", "build"]);
    assertEquals({ code, stdout }, { code: 0, stdout: "" });
    assertEquals(
      stderr,
      `warning: ${line} sets credential_process, which is not used with the keys of [build], ` +
        "even expired ones; use another profile\n",
    );
    assertEquals(outcome(await updateOnce(scenario, ["--profile", "other"])), SILENT);
  });
}

Deno.test("update warns once of a credential_process in the file of AWS_CONFIG_FILE", async () => {
  await using scenario = await SessionScenario.create();
  const config = scenario.directory.write("config", "[default]\ncredential_process = x\n");
  const env = { HOME: scenario.directory.path, AWS_CONFIG_FILE: config };
  await using running = new RunningBinary(["update", ...scenario.flags], env);
  await running.waitForLine(/wrote \[default\]/);
  running.kill("SIGTERM");
  assertEquals((await running.end()).code, 0);
  const warnings = running.lines.filter((line) => line.startsWith("warning: "));
  assertEquals(warnings.map((line) => line.split(",")[0]), [
    `warning: [default] in ${config} sets credential_process`,
  ]);
});

for (const name of [" a", "a]", "a\nb", "DEFAULT"]) {
  Deno.test(`update refuses the profile ${JSON.stringify(name)} before any request`, async () => {
    await using scenario = await SessionScenario.create();
    const { code, stdout, stderr } = await updateOnce(scenario, [`--profile=${name}`]);
    assertEquals({ code, stdout }, { code: 2, stdout: "" });
    assertMatch(
      stderr,
      /^aws_signing_helper: --profile "[^\n]*" cannot be a profile: it [^\n]*\n$/,
    );
    assertEquals(scenario.emulator.requests.length, 0);
  });
}

Deno.test("update --once does not change the file if it gets no credentials", async () => {
  await using scenario = await SessionScenario.create();
  const path = scenario.directory.write(".aws/credentials", "[default]\nmine = yes\n", 0o644);
  scenario.emulator.fail("access-denied");
  const { code, stdout, stderr } = await updateOnce(scenario);
  assertEquals({ code, stdout }, { code: 4, stdout: "" });
  assertMatch(stderr, /^aws_signing_helper: AccessDeniedException: [^\n]*\n$/);
  assertEquals(Deno.readTextFileSync(path), "[default]\nmine = yes\n");
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o644);
});

Deno.test("update --once, 20 at once with 20 profiles, writes every one", async () => {
  await using scenario = await SessionScenario.create();
  const mine = "[mine]\nregion = eu-west-1\n";
  const path = scenario.directory.write(".aws/credentials", mine);
  const profiles = Array.from({ length: 20 }, (_, i) => `profile-${i}`);
  const results = await Promise.all(
    profiles.map((name) => updateOnce(scenario, ["--profile", name])),
  );
  assertEquals(results.map(outcome), results.map(() => SILENT));
  const text = Deno.readTextFileSync(path);
  const { issued } = scenario.emulator;
  assertEquals(issued.length, 20);
  assertEquals(text.startsWith(`${mine}\n`), true);
  const keys = profiles.map((name) => {
    const [, key] = text.match(new RegExp(`\\[${name}\\]\naws_access_key_id = (\\w+)\n`)) ?? [];
    const session = issued.find(({ accessKeyId }) => accessKeyId === key);
    assertStringIncludes(text, section(name, session));
    return key;
  });
  assertEquals(new Set(keys).size, 20);
  assertEquals(
    text.length,
    mine.length +
      issued.reduce((sum, session, i) => sum + 1 + section(profiles[i] ?? "", session).length, 0),
  );
  assertEquals([...Deno.readDirSync(scenario.directory.join(".aws"))].length, 1);
});

Deno.test("update --once writes into a file of 10 MB", async () => {
  await using scenario = await SessionScenario.create();
  const before = "[mine]\n" + `# ${"x".repeat(100 * 1024)}\n`.repeat(100);
  const path = scenario.directory.write(".aws/credentials", before);
  assertEquals(outcome(await updateOnce(scenario)), SILENT);
  const after = Deno.readTextFileSync(path);
  assertEquals(after === `${before}\n${section("default", scenario.emulator.issued[0])}`, true);
});
