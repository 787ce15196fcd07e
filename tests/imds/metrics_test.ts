import { assert, assertEquals } from "@std/assert";

import type { RefreshEvent } from "../../src/credentials/refresh/refresher.ts";
import { type ErrorCode, HelperError } from "../../src/errors.ts";
import { ServeMetrics } from "../../src/imds/metrics.ts";
import { type PathClass, pathClass, PATHS } from "../../src/imds/paths.ts";
import { MAX_TOKENS, TokenStore } from "../../src/imds/tokens.ts";
import { CREDENTIALS, FakeEndpoint } from "./fake_endpoint.ts";

const NEXT = new Date("2026-01-01T00:35:00Z");

/** Metrics with a store of tokens on a clock that the test moves. */
function createMetrics() {
  const clock = { time: 0 };
  const tokens = new TokenStore(
    () => clock.time,
    (length) => crypto.getRandomValues(new Uint8Array(length)),
  );
  const started = new Date("2026-01-01T00:00:00.250Z");
  const roles = ["Demo", "Other"];
  const metrics = new ServeMetrics({
    version: "1.2.3",
    started,
    tokens,
    certificate: () => undefined,
    roles: () => roles,
  });
  return { clock, tokens, metrics, roles };
}

/** Returns the values of a page by their series. */
function valuesOf(page: string): Record<string, number> {
  const lines = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(lines.map((line) => {
    const end = line.lastIndexOf(" ");
    return [line.slice(0, end).replace("aws_signing_helper_", ""), Number(line.slice(end + 1))];
  }));
}

const CLASSES: readonly [path: string, expected: PathClass][] = [
  ...Object.entries(PATHS).map(([name, path]) => [path, name] as [string, PathClass]),
  ["/latest/meta-data/iam/security-credentials/Demo", "credentials"],
  ["/latest/meta-data/iam/security-credentials/%44emo", "credentials"],
  ["/latest/meta-data/iam/security-credentials/a/b", "other"],
  ["/latest/meta-data/iam/security-credentials-extended/Demo", "other"],
  ["/role/Demo", "container"],
  ["/role/a/b", "other"],
  ["/role", "other"],
  ["/roles/a", "other"],
  ["/", "other"],
  ["/metrics/x", "other"],
  ["/constructor", "other"],
  ["constructor", "other"],
];

for (const [path, expected] of CLASSES) {
  Deno.test(`pathClass() returns ${expected} for ${path}`, () => {
    assertEquals(pathClass(path), expected);
  });
}

Deno.test("render() has every result of a new role, and no session", () => {
  const { metrics, roles } = createMetrics();
  roles.pop();
  assertEquals(valuesOf(metrics.render()), {
    'build_info{version="1.2.3"}': 1,
    "process_start_time_seconds": 1767225600.25,
    'session_expiration_timestamp_seconds{role="Demo"}': 0,
    'session_refreshes_total{result="success",role="Demo"}': 0,
    'session_refreshes_total{result="key",role="Demo"}': 0,
    'session_refreshes_total{result="refused",role="Demo"}': 0,
    'session_refreshes_total{result="unavailable",role="Demo"}': 0,
    'session_refreshes_total{result="network",role="Demo"}': 0,
    'session_refreshes_total{result="other",role="Demo"}': 0,
    'session_failed_refreshes{role="Demo"}': 0,
    "tokens": 0,
    "tokens_evicted_total": 0,
  });
});

const RESULTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  "key-locked": "key",
  "certificate-validity": "key",
  "service-refused": "refused",
  "service-throttled": "unavailable",
  "session-expired": "unavailable",
  "network-timeout": "network",
  "internal": "other",
  "service-answer": "other",
  "ca-bundle": "other",
};

Deno.test("onRefresh() counts each role's refreshes by result", () => {
  for (const [code, result] of Object.entries(RESULTS)) {
    const { metrics } = createMetrics();
    const role = { onRefresh: (event: RefreshEvent) => metrics.onRefresh("Demo", event, metrics) };
    role.onRefresh({ kind: "refreshed", credentials: CREDENTIALS, nextRefresh: NEXT });
    role.onRefresh({ kind: "clock-jump", by: 60_000 });
    const error = new HelperError(code as ErrorCode, "secret message");
    const nextAttempt = new Date(NEXT.getTime() + 1000);
    role.onRefresh({ kind: "failed", error, failures: 7, nextAttempt, credentials: undefined });
    role.onRefresh({ kind: "expired" });
    const page = metrics.render();
    const values = valuesOf(page);
    const read = (name: string, labels: string, role = "Demo") =>
      values[`session_${name}{${labels}role="${role}"}`];
    assertEquals(read("refreshes_total", `result="${result}",`), 1, code);
    assertEquals(read("refreshes_total", 'result="success",'), 1);
    assertEquals(read("refreshes_total", 'result="success",', "Other"), 0);
    assertEquals(read("failed_refreshes", ""), 7);
    assertEquals(read("failed_refreshes", "", "Other"), 0);
    // The session that is over is still the last one.
    assertEquals(
      read("expiration_timestamp_seconds", ""),
      CREDENTIALS.expiration.getTime() / 1000,
    );
    assertEquals(read("next_refresh_timestamp_seconds", ""), nextAttempt.getTime() / 1000);
    assertEquals(read("next_refresh_timestamp_seconds", "", "Other"), undefined);
    const { accessKeyId, secretAccessKey, sessionToken } = CREDENTIALS;
    for (const text of [accessKeyId, secretAccessKey, sessionToken, "secret message"]) {
      assert(!page.includes(text));
    }
    role.onRefresh({ kind: "refreshed", credentials: CREDENTIALS, nextRefresh: NEXT });
    assertEquals(valuesOf(metrics.render())['session_failed_refreshes{role="Demo"}'], 0);
  }
});

Deno.test("render() has the roles that are served now, and their earlier counts", () => {
  const { metrics, roles } = createMetrics();
  metrics.onRefresh(
    "Other",
    { kind: "refreshed", credentials: CREDENTIALS, nextRefresh: NEXT },
    metrics,
  );
  const count = () =>
    valuesOf(metrics.render())['session_refreshes_total{result="success",role="Other"}'];
  assertEquals(count(), 1);
  roles.pop();
  assertEquals(count(), undefined);
  assert(!metrics.render().includes("Other"));
  roles.push("Other");
  assertEquals(count(), 1);
});

Deno.test("render() counts valid tokens and evictions, not expired tokens", () => {
  const { clock, tokens, metrics } = createMetrics();
  for (let i = 0; i < MAX_TOKENS; i++) tokens.issue(i < 6 ? 60 : 600, "client");
  const read = () => {
    const values = valuesOf(metrics.render());
    return [values["tokens"], values["tokens_evicted_total"]];
  };
  assertEquals(read(), [256, 0]);
  for (let i = 0; i < 4; i++) tokens.issue(600, "client");
  assertEquals(read(), [256, 4]);
  clock.time = 61_000;
  assertEquals(read(), [254, 4]);
  clock.time = 600_000;
  assertEquals(read(), [0, 4]);
});

Deno.test("the endpoint counts each response once, with and without a log", async () => {
  for (const log of [undefined, () => {}]) {
    const { metrics } = createMetrics();
    const endpoint = await FakeEndpoint.create({ metrics, ...(log ? { log } : {}) });
    const headers = await endpoint.token();
    await endpoint.ask("/latest/meta-data/iam/security-credentials/Demo", { headers });
    await endpoint.ask("/2021-07-15//meta-data/iam/security-credentials/Demo/?x", { headers });
    await endpoint.ask("/healthz", { method: "HEAD" });
    await endpoint.ask("/metrics", { method: "DELETE" });
    await endpoint.ask("/metrics", { host: "evil.example" });
    const scraped = await endpoint.ask("/metrics");
    assertEquals(scraped.headers.get("content-type"), metrics.contentType);
    const requests = Object.entries(valuesOf(await scraped.text()))
      .filter(([name]) => name.startsWith("http_requests_total"));
    assertEquals(Object.fromEntries(requests), {
      'http_requests_total{code="200",path="token"}': 1,
      'http_requests_total{code="200",path="credentials"}': 2,
      'http_requests_total{code="200",path="health"}': 1,
      'http_requests_total{code="405",path="metrics"}': 1,
      'http_requests_total{code="403",path="metrics"}': 1,
    });
  }
});
