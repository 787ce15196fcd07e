import { assertEquals, assertLessOrEqual, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { COMMANDS } from "../../src/cli/flags/flags.ts";
import { BINARY, type Result, runBinary, runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";

const COMMAND_NAMES = Object.keys(COMMANDS);

Deno.test("the binary without a command prints its help and exits 0", async () => {
  const bare = await runBinary([]);
  assertEquals({ code: bare.code, stderr: bare.stderr }, { code: 0, stderr: "" });
  for (const command of COMMAND_NAMES) assertStringIncludes(bare.stdout, `\n  ${command}`);
  for (const args of [["--help"], ["-h"], ["help"]]) {
    assertEquals(await runBinary(args), bare);
  }
});

for (const command of COMMAND_NAMES) {
  const words = command.split(" ");
  Deno.test(`${command} --help prints its help on one screen and exits 0`, async () => {
    const { code, stdout, stderr } = await runBinary([...words, "--help"]);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertMatch(stdout, new RegExp(`^Usage: aws_signing_helper ${command}`));
    assertLessOrEqual(stdout.trimEnd().split("\n").length, 60);
    assertLessOrEqual(Math.max(...stdout.split("\n").map((line) => line.length)), 80);
    assertEquals((await runBinary([...words, "-h"])).stdout, stdout);
    assertEquals((await runBinary(["help", ...words])).stdout, stdout);
  });
}

/** Returns the command line of the example in a command's help. */
async function exampleOf(command: string): Promise<string> {
  const { stdout } = await runBinary([...command.split(" "), "--help"]);
  return /^Example:\n(.*?)\n\n/ms.exec(stdout)?.[1] ?? "";
}

/** Runs the example of a command's help in a shell. */
async function runExample(
  command: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Result> {
  return await runProgram("setsid", ["--wait", "sh", "-euc", await exampleOf(command)], {
    cwd,
    env: { ...env, PATH: `${dirname(BINARY)}:/usr/bin:/bin` },
  });
}

testWith(["binary"], "the example of every command's help works", async () => {
  await using scenario = await SessionScenario.create();
  const { directory, identity, emulator, caBundle } = scenario;
  directory.write("cert.pem", identity.certificatePem);
  directory.write("key.pem", identity.keyPem);
  const socket = directory.join("socket");
  const service = {
    AWS_SIGNING_HELPER_ENDPOINT: emulator.url,
    AWS_SIGNING_HELPER_CA_BUNDLE: caBundle,
  };
  const env = {
    HOME: directory.path,
    ROLE: ARNS.role,
    PROFILE: ARNS.profile,
    ANCHOR: ARNS.trustAnchor,
    AWS_EC2_METADATA_DISABLED: "true",
  };
  const serviceEnv = { ...env, ...service };
  const tried = new Set(["serve"]);
  const run = (command: string, more: Readonly<Record<string, string>> = {}) => {
    tried.add(command);
    return runExample(command, directory.path, { ...env, ...more });
  };

  const session = await run("credential-process", service);
  assertEquals([session.code, session.stderr], [0, ""]);
  assertEquals(JSON.parse(session.stdout).AccessKeyId, emulator.issued[0]?.accessKeyId);

  const update = await run("update", { ...service, AWS_SIGNING_HELPER_ONCE: "true" });
  assertEquals([update.code, update.stderr], [0, ""]);
  assertMatch(Deno.readTextFileSync(directory.join(".aws/credentials")), /^\[build\]$/m);

  const configure = await run("configure", service);
  assertEquals([configure.code, configure.stdout], [0, ""]);
  assertMatch(Deno.readTextFileSync(directory.join(".aws/config")), /^\[profile build\]$/m);
  const doctor = await run("doctor");
  assertStringIncludes(doctor.stdout, "checked the flags of [profile build]");
  assertMatch(doctor.stdout, /^ok +key: /m);

  const signature = await run("sign-string");
  assertEquals(signature.code, 0);
  assertMatch(signature.stdout, /^[0-9a-f]+\n$/);
  const data = await run("read-certificate-data");
  assertEquals([data.code, JSON.parse(data.stdout).keyType], [0, "EC"]);
  const selftest = await run("selftest");
  assertEquals([selftest.code, selftest.stdout.trimEnd().split("\n").at(-1)], [
    0,
    "Result: passed",
  ]);
  assertEquals((await run("cache clear")).code, 0);
  const completions = await run("completions");
  assertEquals(completions.code, 0);
  assertMatch(completions.stdout, /^complete -F /m);
  assertEquals((await run("version")).stdout, `${config.version}\n`);

  const bind = { AWS_SIGNING_HELPER_BIND: socket };
  const words = (await exampleOf("serve")).replaceAll("\\\n", " ");
  await using serve = new RunningBinary([], { ...serviceEnv, ...bind }, [
    ...["sh", "-euc", `cd "$HOME"; exec "$0" ${words.trim().replace(/^\S+ /, "")}`],
  ]);
  await serve.waitForLine(/leave this running/);
  const health = await run("health", bind);
  assertEquals([health.code, JSON.parse(health.stdout).status], [0, "ok"]);
  serve.kill("SIGTERM");
  assertEquals((await serve.end()).code, 0);
  assertEquals([...tried].toSorted(), COMMAND_NAMES.toSorted());
});

Deno.test("version prints the number of deno.json", async () => {
  const { code, stdout } = await runBinary(["version"]);
  assertEquals({ code, stdout }, { code: 0, stdout: `${config.version}\n` });
});

Deno.test("the binary starts in an empty environment and an unwritable working directory", async () => {
  const { code } = await runBinary(["version"], { cwd: "/proc", env: { PATH: "/usr/bin:/bin" } });
  assertEquals(code, 0);
});
