import { assertEquals, assertGreaterOrEqual, assertMatch } from "@std/assert";

import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { SessionScenario } from "../support/session_scenario.ts";

/** Starts `update` with its own home directory in the scenario. */
const start = (scenario: SessionScenario, wrapper?: string[]) =>
  new RunningBinary(["update", ...scenario.flags], { HOME: scenario.directory.path }, wrapper);

const keyIn = (scenario: SessionScenario) =>
  /aws_access_key_id = (\w+)/.exec(
    Deno.readTextFileSync(scenario.directory.join(".aws/credentials")),
  )?.[1];

const WROTE =
  /: wrote \[default\] of .*, valid until \S+Z; the next refresh is at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** A session is renewed 3 s or more before its end: a machine may pause meanwhile. */
const SHORT = { sessionSeconds: 6 };

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`update keeps writing, logs one line for each write, and exits with 0 on ${signal}`, async () => {
    await using scenario = await SessionScenario.create({}, SHORT);
    await using running = start(scenario);
    for (let i = 0; i < 3; i++) await running.waitForLine(WROTE, i);
    running.kill(signal);
    assertEquals(await running.end(), { code: 0, stdout: "" });
    for (const line of running.lines) assertMatch(line, WROTE);
    assertEquals(
      keyIn(scenario),
      scenario.emulator.issued.at(running.lines.length - 1)?.accessKeyId,
    );
    assertEquals([...Deno.readDirSync(scenario.directory.join(".aws"))].length, 1);
  });
}

Deno.test("update refreshes a session of an hour 20 minutes or more before its end", async () => {
  await using scenario = await SessionScenario.create();
  await using running = start(scenario);
  const [, time = ""] = /at (\S+)$/.exec(await running.waitForLine(WROTE)) ?? [];
  const end = new Date(scenario.emulator.issued[0]?.expiration ?? "").getTime();
  assertGreaterOrEqual(end - new Date(time).getTime(), 20 * 60_000);
  running.kill("SIGTERM");
  assertEquals((await running.end()).code, 0);
});

Deno.test("update survives failures: the old credentials stay, the failure is reported once, and so is the next success", async () => {
  await using scenario = await SessionScenario.create({}, SHORT);
  await using running = start(scenario);
  await running.waitForLine(WROTE);
  scenario.emulator.fail("resource-not-found", 1);
  scenario.emulator.fail("validation");
  const warning = await running.waitForLine(
    /warning: the refresh failed: ResourceNotFoundException/,
  );
  assertMatch(
    warning,
    /: warning: the refresh failed: ResourceNotFoundException: Trust anchor was not found; \[default\] of \S+ stays valid until \S+; the next attempt is at \S+$/,
  );
  const { issued } = scenario.emulator;
  assertEquals(keyIn(scenario), issued.at(-1)?.accessKeyId);
  await running.waitForLine(/: warning: the credentials in \[default\] of \S+ have expired$/);
  assertEquals(keyIn(scenario), issued.at(-1)?.accessKeyId);
  assertEquals(running.lines.filter((line) => line.includes("ResourceNotFound")).length, 1);
  running.kill("SIGTERM");
  assertEquals((await running.end()).code, 0);
});

Deno.test("update waits for a service that is not available at startup", async () => {
  await using scenario = await SessionScenario.create();
  scenario.emulator.fail("unavailable");
  await using running = start(scenario);
  const warning = await running.waitForLine(/warning/);
  assertMatch(
    warning,
    /: warning: the refresh failed: ServiceUnavailableException: [^;]*; \[default\] of \S+ has not been renewed; the next attempt is at \S+$/,
  );
  scenario.emulator.recover();
  await running.waitForLine(WROTE);
  assertEquals(keyIn(scenario), scenario.emulator.issued[0]?.accessKeyId);
  running.kill("SIGTERM");
  assertEquals((await running.end()).code, 0);
});

Deno.test("update exits with the code of a permanent failure at startup", async () => {
  await using scenario = await SessionScenario.create();
  scenario.emulator.fail("access-denied");
  await using running = start(scenario);
  assertEquals(await running.end(), { code: 4, stdout: "" });
  assertMatch(running.lines.join("\n"), /^aws_signing_helper: AccessDeniedException: [^\n]*$/);
});

Deno.test("update exits with 0 if a signal comes before the first credentials", async () => {
  await using scenario = await SessionScenario.create();
  scenario.emulator.fail("hang");
  await using running = start(scenario);
  while (scenario.emulator.requests.length === 0) {
    await new Promise((done) => setTimeout(done, 20));
  }
  running.kill("SIGTERM");
  assertEquals(await running.end(), { code: 0, stdout: "" });
});

Deno.test("update writes a session later if it could not be written, without a new call", async () => {
  await using scenario = await SessionScenario.create({}, { sessionSeconds: 16 });
  await using running = start(scenario);
  await running.waitForLine(WROTE);
  const path = scenario.directory.join(".aws/credentials");
  Deno.renameSync(path, `${path}.away`);
  Deno.mkdirSync(path);
  await running.waitForLine(
    /warning: .*credentials was not changed: it is a directory; name a file in it; /,
  );
  const calls = scenario.emulator.requests.length;
  Deno.removeSync(path);
  await running.waitForLine(WROTE, running.lines.length);
  assertEquals(scenario.emulator.requests.length, calls);
  assertEquals(keyIn(scenario), scenario.emulator.issued.at(-1)?.accessKeyId);
  running.kill("SIGTERM");
  assertEquals((await running.end()).code, 0);
});

testWith(["linux"], "update continues after a hangup if nohup started it", async () => {
  await using scenario = await SessionScenario.create({}, { sessionSeconds: 2 });
  await using running = start(scenario, ["nohup"]);
  await running.waitForLine(WROTE);
  running.kill("SIGHUP");
  await running.waitForLine(WROTE, running.lines.length);
  running.kill("SIGTERM");
  assertEquals((await running.end()).code, 0);
});
