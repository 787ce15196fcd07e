import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import type { FailureMode } from "../emulator/failures.ts";
import { runLoad } from "../support/load_process.ts";
import { CREDENTIALS_PATH, END_TIMEOUT, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

const CONNECTIONS = 64;
const SECONDS = 5;
/** Sessions so short that several are renewed within a load. */
const SHORT_SESSION = 4;

/** Results of a load while the service fails, or renews sessions. */
async function loadWith(sessionSeconds: number, mode?: FailureMode) {
  await using scenario = await SessionScenario.create({}, { sessionSeconds });
  await using serve = await ServeProcess.start(scenario);
  if (mode) scenario.emulator.fail(mode);
  const report = await runLoad({
    url: serve.url,
    path: CREDENTIALS_PATH,
    token: await serve.token(),
    connections: CONNECTIONS,
    seconds: SECONDS,
  });
  const refreshes =
    serve.binary.lines.filter((line) => line.includes(": credentials are valid until")).length;
  const { requests } = scenario.emulator;
  assertEquals((await serve.end()).code, 0);
  return { report, refreshes, calls: requests.length };
}

const figures = ({ report }: Awaited<ReturnType<typeof loadWith>>) =>
  `${report.perSecond} requests/s, p99 ${report.milliseconds.p99} ms, ` +
  `longest ${report.milliseconds.max} ms`;

/** Number of attempts: a busy machine delays responses too, so only faults in every attempt count. */
const ATTEMPTS = 4;

const CASES: Record<string, { sessionSeconds: number; mode?: FailureMode }> = {
  "CreateSession responds": { sessionSeconds: SHORT_SESSION },
  "CreateSession hangs": { sessionSeconds: 20, mode: "hang" },
  "CreateSession returns garbage": { sessionSeconds: 20, mode: "wrong-json" },
  "CreateSession is unavailable": { sessionSeconds: 20, mode: "unavailable" },
};

for (const [what, { sessionSeconds, mode }] of Object.entries(CASES)) {
  Deno.test(`serve under ${CONNECTIONS} connections has no late or failed response while ${what}`, async (t) => {
    for (let attempt = 1;; attempt++) {
      const off = await loadWith(3600);
      const on = await loadWith(sessionSeconds, mode);
      for (const { report } of [off, on]) assertEquals([report.refused, report.broken], [0, 0]);
      if (mode) assertEquals(on.refreshes, 1);
      else assert(on.refreshes >= 3, `${on.refreshes} refreshes`);
      if (!mode) assertEquals(on.calls, on.refreshes);
      const late = on.report.milliseconds.max >
        Math.max(50, 1.5 * off.report.milliseconds.max);
      if (late && attempt < ATTEMPTS) continue;
      await t.step(`refresh off: ${figures(off)}; on: ${figures(on)}`, () => {
        assertEquals([late, attempt <= ATTEMPTS], [false, true]);
      });
      return;
    }
  });
}

Deno.test("serve keeps responding until the session ends, then returns 500 with a reason, then recovers", async () => {
  await using scenario = await SessionScenario.create({}, { sessionSeconds: 10 });
  await using serve = await ServeProcess.start(scenario);
  scenario.emulator.fail("access-denied");
  const token = await serve.token();
  const failed = await serve.binary.waitForLine(
    /warning: the refresh failed: AccessDeniedException/,
  );
  assertMatch(failed, /the credentials are valid until \S+Z; the next attempt is at \S+Z$/);
  assertEquals((await (await serve.get(CREDENTIALS_PATH, token)).json()).Code, "Success");
  const health = await (await fetch(`${serve.url}/healthz`)).json();
  assertEquals([health.status, health.lastError.code], ["failing", "service-refused"]);
  await serve.binary.waitForLine(/warning: the credentials have expired/);
  const answer = await serve.get(CREDENTIALS_PATH, token);
  assertEquals(answer.status, 500);
  assertMatch(await answer.text(), /^no valid credentials/);
  const expired = await fetch(`${serve.url}/healthz`);
  assertEquals([expired.status, (await expired.json()).status], [503, "expired"]);
  assertEquals((await serve.end()).code, 0);
});

Deno.test("serve recovers by itself when the service is back", async () => {
  await using scenario = await SessionScenario.create({}, { sessionSeconds: 4 });
  await using serve = await ServeProcess.start(scenario);
  scenario.emulator.fail("drop", 12);
  await serve.binary.waitForLine(/warning: the refresh failed/);
  const said = serve.binary.lines.length;
  scenario.emulator.recover();
  await serve.binary.waitForLine(/: credentials are valid until/, said);
  await (await serve.get(CREDENTIALS_PATH)).body?.cancel();
  assertEquals((await serve.end()).code, 0);
});

Deno.test("serve answers every accepted request and ends with 0 within 5 s on SIGTERM under load", async () => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario, ["--metrics"]);
  // One more idle connection, as in the pool of an SDK.
  using silent = await Deno.connect({ hostname: "127.0.0.1", port: serve.port });
  const loading = runLoad({
    url: serve.url,
    path: CREDENTIALS_PATH,
    token: await serve.token(),
    connections: CONNECTIONS,
    seconds: 20,
  });
  // A load that a pause delays has not yet sent enough.
  while (await requestsOf(serve) < 2000) await new Promise((resolve) => setTimeout(resolve, 100));
  const { code, milliseconds } = await serve.end();
  const report = await loading;
  assertEquals([code, report.refused, report.cut], [0, 0, 0]);
  assertLess(milliseconds, END_TIMEOUT);
  // A connection ends between two requests. A request sent just after the end is not accepted, and
  // SDKs retry it.
  assert(report.requests > 1000, `${report.requests} requests`);
  assertEquals(await silent.read(new Uint8Array(1)), null);
});

/** Sends a second signal while the end waits for a refresh, at most 2 s. Returns the exit code. */
async function endTwice(): Promise<number> {
  await using scenario = await SessionScenario.create({}, { sessionSeconds: 3 });
  await using serve = await ServeProcess.start(scenario);
  scenario.emulator.fail("hang");
  const { requests } = scenario.emulator;
  const before = requests.length;
  while (requests.length === before) await new Promise((resolve) => setTimeout(resolve, 50));
  serve.binary.kill("SIGTERM");
  // The first signal has arrived when the port is closed.
  while (await isOpen(serve.port)) await new Promise((resolve) => setTimeout(resolve, 5));
  const { code, milliseconds } = await serve.end("SIGTERM");
  assertLess(milliseconds, END_TIMEOUT);
  return code;
}

/** Returns the number of requests that `serve` has answered. */
async function requestsOf(serve: ServeProcess): Promise<number> {
  const text = await (await fetch(`${serve.url}/metrics`)).text();
  return [...text.matchAll(/^aws_signing_helper_http_requests_total\{.*\} (\d+)$/gm)]
    .reduce((sum, [, value]) => sum + Number(value), 0);
}

async function isOpen(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("serve ends at once on a second signal", async () => {
  // On a machine that pauses for 2 s between the two signals, the end needs no second one.
  const codes: number[] = [];
  while (codes.at(-1) !== 130 && codes.length < 5) codes.push(await endTwice());
  assertEquals(codes.at(-1), 130, codes.join(" "));
});
