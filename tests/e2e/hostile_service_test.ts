import { assertEquals, assertLess, assertMatch } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import {
  ENDLESS,
  type EndlessResponse,
  HostileService,
  sessionResponse,
} from "../support/hostile_service.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { CREDENTIALS_PATH, END_TIMEOUT, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

/** The contract's limit for an exit by signal, milliseconds, and an allowance for a busy machine. */

const KINDS: [string, EndlessResponse][] = Object.entries(ENDLESS);
const isQuick = ([, { pause }]: [string, EndlessResponse]) => pause === undefined;

for (const [name, endless] of KINDS.filter(isQuick)) {
  Deno.test(`credential-process refuses ${name} without end`, async () => {
    await using scenario = await SessionScenario.create();
    await using service = new HostileService(() => endless);
    const { code, stdout, stderr } = await runBinary(
      ["credential-process", ...scenario.flags, "--endpoint", service.url],
    );
    assertEquals([code, stdout], [1, ""], stderr);
    assertMatch(
      stderr,
      /the response is not the service's \([a-zA-Z0-9 /.]+\); check --endpoint\n$/,
    );
    assertEquals(service.requests, 1);
  });
}

for (const name of ["interim responses", "header lines", "a header line", "blank lines"] as const) {
  Deno.test(`credential-process refuses a proxy that sends ${name} without end`, async () => {
    await using scenario = await SessionScenario.create();
    await using proxy = new HostileService(() => ENDLESS[name]);
    const { code, stdout, stderr } = await runBinary(
      ["credential-process", ...scenario.flags, "--with-proxy"],
      { env: { HTTPS_PROXY: proxy.url } },
    );
    assertEquals([code, stdout], [6, ""], stderr);
    assertMatch(stderr, /^aws_signing_helper: the proxy [^\n]* did not respond as an HTTP proxy/);
  });
}

Deno.test("health refuses a response without end", async () => {
  await using service = new HostileService(() => ENDLESS["trailer lines"]);
  const { code, stdout } = await runBinary(["health", "--port", new URL(service.url).port]);
  assertEquals([code, stdout], [6, ""]);
});

/** Keeps sending while `serve` renews a session of 20 s, which it does after 2.5 to 10 s. */
async function checkServe(endless: EndlessResponse): Promise<void> {
  await using scenario = await SessionScenario.create();
  const first = sessionResponse(20);
  await using service = new HostileService((request) => request === 1 ? first : endless);
  await using serve = await ServeProcess.start(scenario, ["--endpoint", service.url]);
  const until = performance.now() + 60_000;
  while (service.requests < 2 && performance.now() < until) await rest(20);
  assertEquals(service.requests > 1, true, "it never asked again");
  for (let i = 0; i < 10; i++) {
    const response = await serve.get(CREDENTIALS_PATH);
    assertEquals((await response.json()).AccessKeyId, "ASIAHOSTILE");
    await rest(10);
  }
  const { code, milliseconds } = await serve.end();
  assertEquals(code, 0);
  assertLess(milliseconds, END_TIMEOUT);
}

const HOSTILE_TO_SERVE = [
  "interim responses",
  "trailer lines",
  "small chunks",
  "drops of a body",
  "drops of interim responses",
  "nothing",
] as const;

Deno.test("serve answers from its last credentials, and ends on SIGTERM, whatever the service sends", async (t) => {
  await Promise.all(HOSTILE_TO_SERVE.map((name) =>
    t.step({
      name,
      fn: () => checkServe(ENDLESS[name]),
      sanitizeOps: false, // the steps run at once
      sanitizeResources: false,
      sanitizeExit: false,
    })
  ));
});

Deno.test("credential-process exits 5 and names the clock when the session has expired on arrival", async () => {
  await using scenario = await SessionScenario.create();
  await using service = new HostileService(() => sessionResponse(-90));
  const { code, stdout, stderr } = await runBinary(
    ["credential-process", ...scenario.flags, "--endpoint", service.url],
  );
  assertEquals([code, stdout, service.requests], [5, "", 1]);
  assertMatch(
    stderr,
    /: the session from the service expired 9\d s ago; check this machine's clock\n$/,
  );
});

Deno.test("serve exits 5 when its first session has expired on arrival", async () => {
  await using scenario = await SessionScenario.create();
  await using service = new HostileService(() => sessionResponse(0));
  const flags = [...scenario.flags, "--endpoint", service.url, "--port=0"];
  const { code, stderr } = await runBinary(["serve", ...flags]);
  assertEquals([code, service.requests], [5, 1]);
  assertMatch(stderr, /check this machine's clock\n$/);
});

Deno.test("serve and update back off when sessions have expired on arrival", async () => {
  await using scenario = await SessionScenario.create();
  const first = sessionResponse(20);
  const answer = (request: number) => request === 1 ? first : sessionResponse(-1);
  await using ofServe = new HostileService(answer);
  await using ofUpdate = new HostileService(() => sessionResponse(-1));
  await using serve = await ServeProcess.start(scenario, ["--endpoint", ofServe.url]);
  await using update = new RunningBinary(
    ["update", ...scenario.flags, "--endpoint", ofUpdate.url],
    { HOME: scenario.directory.path },
  );
  await serve.binary.waitForLine(
    /warning: the refresh failed: the session .* check this machine's clock; /,
  );
  await update.waitForLine(
    /warning: the refresh failed: the session .* check this machine's clock; /,
  );
  const before = [ofServe.requests, ofUpdate.requests];
  await rest(12_000);
  // Twice a second without backoff.
  assertLess(ofServe.requests - (before[0] ?? 0), 15);
  assertLess(ofUpdate.requests - (before[1] ?? 0), 15);
  assertEquals((await serve.end()).code, 0);
});

const rest = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
