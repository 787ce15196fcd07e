import { assertEquals, assertLess, assertMatch } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import {
  ENDLESS,
  type EndlessResponse,
  HostileService,
  sessionResponse,
} from "../support/hostile_service.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

/** The contract's limit for an end by signal, milliseconds, and what a busy machine may add. */
const LONGEST_END = 5_000;

const KINDS: [string, EndlessResponse][] = Object.entries(ENDLESS);
const isQuick = ([, { pause }]: [string, EndlessResponse]) => pause === undefined;

for (const [name, endless] of KINDS.filter(isQuick)) {
  Deno.test(`credential-process refuses ${name} without end`, async () => {
    await using scenario = await SessionScenario.create();
    await using service = new HostileService(() => endless);
    const started = performance.now();
    const { code, stdout, stderr } = await runBinary(
      ["credential-process", ...scenario.flags, "--endpoint", service.url],
    );
    assertEquals([code, stdout], [1, ""], stderr);
    assertMatch(
      stderr,
      /did not answer as the service does \([a-zA-Z0-9 /.]+\); check --endpoint\n$/,
    );
    // It was counted, not timed out.
    assertLess(performance.now() - started, 14_000);
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
    assertMatch(stderr, /^aws_signing_helper: the proxy [^\n]* does not answer as an HTTP proxy/);
  });
}

Deno.test("health refuses a response without end", async () => {
  await using service = new HostileService(() => ENDLESS["trailer lines"]);
  const { code, stdout } = await runBinary(["health", "--port", new URL(service.url).port]);
  assertEquals([code, stdout], [6, ""]);
});

/** Sends on while `serve` renews a session of 20 s, which it does after 2.5 to 10 s. */
async function checkServe(endless: EndlessResponse): Promise<void> {
  await using scenario = await SessionScenario.create();
  const first = sessionResponse(20);
  await using service = new HostileService((request) => request === 1 ? first : endless);
  await using serve = await ServeProcess.start(scenario, ["--endpoint", service.url]);
  const until = performance.now() + 15_000;
  while (service.requests < 2 && performance.now() < until) await rest(20);
  assertEquals(service.requests > 1, true, "it never asked again");
  for (let i = 0; i < 10; i++) {
    const response = await serve.get(CREDENTIALS_PATH);
    assertEquals((await response.json()).AccessKeyId, "ASIAHOSTILE");
    await rest(10);
  }
  const { code, milliseconds } = await serve.end();
  assertEquals(code, 0);
  assertLess(milliseconds, LONGEST_END);
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

const rest = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
