/**
 * `serve` on a Unix socket: its file, other servers at its path, a listener that fails.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runBinary } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { CREDENTIALS_PATH } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

/** Starts `serve` on the path. */
async function start(
  scenario: SessionScenario,
  path: string,
  flags: readonly string[] = [],
  wrapper: string[] = [],
): Promise<RunningBinary> {
  const run = new RunningBinary(
    ["serve", ...scenario.flags, "--bind", path, ...flags],
    {},
    wrapper,
  );
  await run.waitForLine(/^Starting server on .*helper\.sock\.\.\.$/);
  return run;
}

/** Returns the status of the health document, on a connection of its own. */
async function healthOf(path: string): Promise<string> {
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  return (await (await fetch("http://imds/healthz", { client })).json()).status;
}

/** Connects; returns undefined if nothing accepts for 2 s. */
async function connect(path: string): Promise<Deno.Conn | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), 2_000);
  });
  const connected = Deno.connect({ transport: "unix", path }).catch(() => undefined);
  const connection = await Promise.race([connected, timeout]);
  clearTimeout(timer);
  if (!connection) void connected.then((late) => late?.close());
  return connection;
}

function namesIn(scenario: SessionScenario): string[] {
  return [...Deno.readDirSync(scenario.directory.path)].map(({ name }) => name)
    .filter((name) => name.includes(".sock")).toSorted();
}

Deno.test("serve listens on a Unix socket for its user only, replaces a stale one, and removes it", async () => {
  await using scenario = await SessionScenario.create();
  const path = scenario.directory.join("helper.sock");
  const dead = Deno.listen({ transport: "unix", path });
  dead.close();
  await using run = new RunningBinary(["serve", ...scenario.flags, "--bind", path], {});
  await run.waitForLine(/^Starting server on .*helper\.sock\.\.\.$/);
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const put = { client, method: "PUT", headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" } };
  const token = await (await fetch("http://imds/latest/api/token", put)).text();
  const headers = { "x-aws-ec2-metadata-token": token };
  const answer = await fetch(`http://imds${CREDENTIALS_PATH}`, { client, headers });
  assertEquals((await answer.json()).AccessKeyId, scenario.emulator.issued[0]?.accessKeyId);
  const second = await runBinary(["serve", ...scenario.flags, "--bind", path]);
  assertEquals(second.code, 1);
  assertStringIncludes(second.stderr, "another program listens there");
  run.kill("SIGTERM");
  assertEquals((await run.end()).code, 0);
  assertEquals(
    [...Deno.readDirSync(scenario.directory.path)].some(({ name }) => name.endsWith(".sock")),
    false,
  );
});

for (const flags of [[], ["--allow-user", "root"]]) {
  const name = `serve${flags.length > 0 ? " --allow-user" : ""}`;
  testWith(["linux", "root"], `${name} leaves the file of another server at its path`, async () => {
    await using scenario = await SessionScenario.create();
    const path = scenario.directory.join("helper.sock");
    await using first = await start(scenario, path, flags);
    assertEquals(namesIn(scenario), ["helper.sock"]);
    Deno.removeSync(path);
    await using second = await start(scenario, path, flags);
    first.kill("SIGTERM");
    assertEquals((await first.end()).code, 0);
    assertEquals(await healthOf(path), "ok");
    Deno.removeSync(path);
    Deno.writeTextFileSync(path, "a file");
    second.kill("SIGTERM");
    assertEquals((await second.end()).code, 0);
    assertEquals(Deno.readTextFileSync(path), "a file");
  });

  testWith(["linux", "root"], `${name} listens again on a Unix socket that failed`, async () => {
    await using scenario = await SessionScenario.create();
    const path = scenario.directory.join("helper.sock");
    await using run = await start(scenario, path, flags, ["prlimit", "--nofile=256:256"]);
    const connections: Deno.Conn[] = [];
    // The last ones wait in the backlog, which the process cannot accept from.
    for (let i = 0; i < 400; i++) {
      const connection = await connect(path);
      if (!connection) break;
      connections.push(connection);
    }
    if (flags.length === 0) await run.waitForLine(/warning: the listening socket failed/);
    for (const connection of connections) connection.close();
    const limit = AbortSignal.timeout(60_000);
    while (await healthOf(path).catch(() => "none") !== "ok") {
      limit.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    run.kill("SIGTERM");
    assertEquals((await run.end()).code, 0);
    assertEquals(namesIn(scenario), []);
  });
}
