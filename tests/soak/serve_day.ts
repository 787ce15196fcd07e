/**
 * `serve`'s own parts on a clock that runs faster: engine, vendor, tokens and server, for a day within
 * a minute. Prints its port, and, for each line on standard input, one line of JSON with its
 * resource usage so far. Ends with its standard input.
 *
 * Usage: deno run -A tests/soak/serve_day.ts SPEED START ENDPOINT CERTIFICATE KEY CA-BUNDLE
 *
 * @module
 */
import { keystore } from "../../plugins/file/mod.ts";
import { Refresher } from "../../src/credentials/refresh/refresher.ts";
import { SessionVendor } from "../../src/credentials/refresh/session_vendor.ts";
import { createApp } from "../../src/imds/app.ts";
import { hostCheck } from "../../src/imds/host_check.ts";
import { tableOf } from "../support/role_table.ts";
import { EndpointServer } from "../../src/imds/server.ts";
import { TokenStore } from "../../src/imds/tokens.ts";
import { parseKeystoreUri } from "../../src/keystore/uri.ts";
import { parseSessionArns } from "../../src/rolesanywhere/arn.ts";
import { createSender } from "../../src/http/http_client.ts";
import { removeRuntimeVariables } from "../../src/runtime/remove_variables.ts";
import { REMOVED_VARIABLES } from "../../src/runtime/variables.ts";
import { ARNS } from "../support/session_scenario.ts";
import { NO_CONTEXT } from "../support/scripted_context.ts";
import { REAL_CLOCKS } from "../support/real_clocks.ts";

const [speedText, startText, endpoint = "", certificate = "", key = "", bundle = ""] = Deno.args;
const speed = Number(speedText);
const start = Number(startText);
const fast = {
  now: () => new Date(start + (Date.now() - start) * speed),
  monotonic: () => performance.now() * speed,
  random: () => Math.random(),
  startTimer: (milliseconds: number, then: () => void) => {
    const timer = setTimeout(then, milliseconds / speed);
    return () => clearTimeout(timer);
  },
};

removeRuntimeVariables(REMOVED_VARIABLES);
await using vendor = new SessionVendor(
  {
    certificate: parseKeystoreUri(certificate, "--certificate"),
    privateKey: parseKeystoreUri(key, "--private-key"),
  },
  {
    endpoint: new URL(endpoint),
    region: "us-east-1",
    arns: parseSessionArns(ARNS),
    durationSeconds: 3600,
  },
  () => Promise.resolve(keystore),
  NO_CONTEXT,
  {
    ...fast,
    // Real time: the network does not run faster.
    ...REAL_CLOCKS,
    send: createSender({
      verifyServer: true,
      extraAuthorities: [await Deno.readTextFile(bundle)],
      userAgent: "soak",
    }),
    debug: () => {},
  },
  () => {},
);
let [refreshes, failures] = [0, 0];
const startRefresher = () =>
  Refresher.start(() => vendor.vend(), fast, ({ kind }) => {
    if (kind === "refreshed") refreshes += 1;
    if (kind === "failed") failures += 1;
  });
// At this speed a session lasts a few seconds. On a busy machine the first may end before it is
// there.
const refresher = await startRefresher().catch(startRefresher).catch(startRefresher);
const handler = await createApp({
  tokens: new TokenStore(fast.monotonic, (n) => crypto.getRandomValues(new Uint8Array(n))),
  table: tableOf({
    name: "Demo",
    arn: ARNS.role,
    region: "us-east-1",
    credentials: () => {
      const { credentials, state } = refresher;
      return credentials && state.lastRefresh
        ? { ...credentials, fetched: state.lastRefresh }
        : undefined;
    },
    state: () => ({
      name: "Demo",
      expiration: refresher.credentials?.expiration,
      lastRefresh: refresher.state.lastRefresh,
      lastError: undefined,
    }),
  }),
  health: () => ({ status: "ok" }),
  isAllowedHost: hostCheck([]),
  monotonic: fast.monotonic,
});
const server = await EndpointServer.start({
  bind: { kind: "ip", address: "127.0.0.1", port: 0 },
  hopLimit: 64,
  localOnly: false,
  handler,
  monotonic: () => performance.now(),
  warn: (message) => printJson({ warning: message }),
});
printJson({ port: server.port });
for await (const _ of Deno.stdin.readable) {
  printJson({
    hours: (fast.now().getTime() - start) / 3_600_000,
    refreshes,
    failures,
    residentBytes: Deno.memoryUsage().rss,
    files: [...Deno.readDirSync("/proc/self/fd")].length,
  });
}
await server[Symbol.asyncDispose]();
await refresher.stop();

function printJson(what: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(what)}\n`));
}
