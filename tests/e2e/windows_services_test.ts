/** `update`, `serve` and the session cache of the compiled Windows program, under wine. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { BackgroundProcess, fetchServedCredentials } from "../support/background_process.ts";
import { testWith } from "../support/needs.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { WINDOWS_BINARY, windowsPath, Wine } from "../support/wine.ts";

const wine = Wine.start();
Deno.test.afterAll(() => wine[Symbol.asyncDispose]());

const flagsOf = ({ flags }: SessionScenario) =>
  flags.map((flag) => flag.startsWith("/") ? windowsPath(flag) : flag);

const SILENT = { code: 0, stdout: "", stderr: "" };
const outcome = ({ code, stdout, stderr }: Awaited<ReturnType<Wine["run"]>>) => ({
  code,
  stdout,
  stderr,
});

testWith(
  ["wine"],
  "Windows: update --once changes only its profile and keeps line ends",
  async () => {
    await using scenario = await SessionScenario.create();
    const before =
      "# mine\r\n[other]\r\naws_access_key_id=AKIA\r\n\r\n[Büro]\r\naws_session_token = OLD\r\n";
    const path = scenario.directory.write("my credentials", before);
    const env = { AWS_SHARED_CREDENTIALS_FILE: windowsPath(path) };
    const args = ["update", ...flagsOf(scenario), "--once", "--profile", "Büro"];
    for (const round of [0, 1]) {
      assertEquals(outcome(await wine.run(WINDOWS_BINARY, args, { env })), SILENT);
      const { accessKeyId, secretAccessKey, sessionToken } = scenario.emulator.issued[round] ?? {};
      const after = Deno.readTextFileSync(path);
      assert(after.startsWith(before.replace("OLD", sessionToken ?? "")), after);
      assertStringIncludes(after, `aws_access_key_id = ${accessKeyId}\r\n`);
      assertStringIncludes(after, `aws_secret_access_key = ${secretAccessKey}\r\n`);
      assertEquals(after.replaceAll("\r\n", "").includes("\n"), false);
    }
  },
);

testWith(["wine"], "Windows: update makes .aws/credentials in the user's profile", async () => {
  await using scenario = await SessionScenario.create();
  const directory = wine.userDirectory(".aws");
  await Deno.remove(directory, { recursive: true }).catch(() => {});
  const result = await wine.run(WINDOWS_BINARY, ["update", ...flagsOf(scenario), "--once"]);
  assertEquals(outcome(result), SILENT);
  const text = await Deno.readTextFile(`${directory}/credentials`);
  await Deno.remove(directory, { recursive: true });
  assertMatch(text, /^\[default\]\naws_access_key_id = ASIA/);
});

testWith(["wine"], "Windows: update keeps writing until Ctrl-C, and ends with 0", async () => {
  await using scenario = await SessionScenario.create();
  const path = scenario.directory.join("credentials");
  await using process = new BackgroundProcess(
    wine.command(WINDOWS_BINARY, ["update", ...flagsOf(scenario)]),
    { ...wine.environment, AWS_SHARED_CREDENTIALS_FILE: windowsPath(path) },
  );
  await process.waitForOutput(/wrote (\[default\]) of/);
  assertStringIncludes(
    Deno.readTextFileSync(path),
    scenario.emulator.issued[0]?.accessKeyId ?? "?",
  );
  assertEquals(await process.interrupt(), 0, process.stderr);
});

testWith(
  ["wine"],
  "Windows: serve returns credentials over HTTP until Ctrl-C, and ends with 0",
  async () => {
    await using scenario = await SessionScenario.create();
    await using process = new BackgroundProcess(
      wine.command(WINDOWS_BINARY, ["serve", "--port", "0", ...flagsOf(scenario)]),
      wine.environment,
    );
    const port = await process.waitForOutput(/^Starting server on port (\d+)\.\.\.\r?$/m);
    const served = await fetchServedCredentials(port);
    assertEquals(served.AccessKeyId, scenario.emulator.issued[0]?.accessKeyId);
    assertEquals(await process.interrupt(), 0, process.stderr);
  },
);

testWith(
  ["wine"],
  "Windows: --cache keeps the session where Windows keeps caches, and cache clear removes it",
  async () => {
    await using scenario = await SessionScenario.create();
    const run = (...args: string[]) => wine.run(WINDOWS_BINARY, args);
    await run("cache", "clear");
    const flags = ["credential-process", ...flagsOf(scenario), "--cache"];
    const [first, second] = [await run(...flags), await run(...flags)];
    assertEquals([first.code, first.stderr, second.stderr], [0, "", ""]);
    assertEquals(second.stdout, first.stdout);
    assertEquals(scenario.emulator.requests.length, 1);
    const cleared = await run("cache", "clear");
    assertEquals(cleared.code, 0);
    assertMatch(cleared.stderr, /removed 1 cached session from C:\\users\\[^\n]*\n$/);
  },
);
