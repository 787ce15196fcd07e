/** `serve --metrics`: counts after known requests and refreshes, and who may read them. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";

import { VERSION } from "../../src/cli/commands/version.ts";
import { issueCertificate } from "../support/certificates.ts";
import { testWith } from "../support/needs.ts";
import { Prometheus, promtool } from "../support/prometheus.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { runProgram } from "../support/binary.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

const PREFIX = "aws_signing_helper_";
const TOKEN_SECONDS = "x-aws-ec2-metadata-token-ttl-seconds";

/** Reads a page. */
async function scrape(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`);
  const text = await response.text();
  assertEquals(response.status, 200, text);
  assertEquals(
    response.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  return text;
}

/** Returns the values of a page by their series, without the prefix. */
function valuesOf(page: string): ReadonlyMap<string, number> {
  const lines = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const end = line.lastIndexOf(" ");
    return [line.slice(0, end).replace(PREFIX, ""), Number(line.slice(end + 1))];
  }));
}

/** Returns the number of requests by class and status. */
function requestsOf(page: string): Record<string, number> {
  return Object.fromEntries(
    [...valuesOf(page)].flatMap(([name, value]) => {
      const [, code, path] = /^http_requests_total\{code="(\d+)",path="(\w+)"\}$/.exec(name) ?? [];
      return code === undefined ? [] : [[`${path} ${code}`, value]];
    }),
  );
}

Deno.test("serve --metrics counts each class of paths and each status", async () => {
  await using scenario = await SessionScenario.create();
  const file = scenario.directory.join("token");
  await using serve = await ServeProcess.start(scenario, [
    ...["--metrics", "--container-credentials", "--container-token-file", file],
  ]);
  const token = await serve.token(); // token 200
  const container = await Deno.readTextFile(file);
  const ask = async (
    status: number,
    path: string,
    { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
  ) => {
    const response = await fetch(serve.url + path, { method, headers });
    await response.body?.cancel();
    assertEquals([path, method, response.status], [path, method, status]);
  };
  const withToken = { headers: { "x-aws-ec2-metadata-token": token } };
  const roles = "/latest/meta-data/iam/security-credentials";
  await ask(200, "/latest/api/token", { method: "PUT" });
  await ask(400, "/latest/api/token", { method: "PUT", headers: { [TOKEN_SECONDS]: "0" } });
  await ask(405, "/latest/api/token");
  await ask(200, `${roles}/`, withToken);
  await ask(200, "/1.0/meta-data/iam/security-credentials", withToken);
  await ask(401, `${roles}/`);
  await ask(200, CREDENTIALS_PATH, withToken);
  await ask(200, `${roles}/default`, { ...withToken, method: "HEAD" });
  await ask(401, CREDENTIALS_PATH, { headers: { "x-aws-ec2-metadata-token": "no" } });
  await ask(404, `${roles}/Other`, withToken);
  await ask(405, CREDENTIALS_PATH, { method: "POST" });
  await ask(200, "/latest/meta-data/placement/region", withToken);
  await ask(200, "/latest/meta-data/placement/availability-zone", withToken);
  await ask(200, "/latest/dynamic/instance-identity/document", withToken);
  await ask(401, "/latest/dynamic/instance-identity/document");
  await ask(200, "/role/Demo", { headers: { authorization: container } });
  await ask(401, "/role/Demo");
  await ask(404, "/role/Other", { headers: { authorization: container } });
  await ask(200, "/healthz");
  await ask(405, "/metrics", { method: "POST" });
  await ask(405, "/metrics", { method: "PUT" });
  await ask(200, "/metrics", { method: "HEAD" });
  await ask(200, "/metrics/?x=y");
  // Any number of other paths is one class.
  for (let i = 0; i < 20; i++) await ask(404, `/${crypto.randomUUID()}`);
  await ask(404, '/"}%20%0a');
  for (
    const [host, expected] of [["evil.example", "403"], ["localhost, localhost", "400"]] as const
  ) {
    for (const path of ["/metrics", CREDENTIALS_PATH]) {
      const { stdout } = await runProgram("curl", [
        ...["-s", "-o", scenario.directory.join("body"), "-w", "%{http_code}"],
        ...["-H", `Host: ${host}`, serve.url + path],
      ]);
      assertEquals([host, path, stdout], [host, path, expected]);
      assert(!Deno.readTextFileSync(scenario.directory.join("body")).includes("# TYPE"));
    }
  }
  const expected = {
    "token 200": 2,
    "token 400": 1,
    "token 405": 1,
    "role 200": 2,
    "role 401": 1,
    "credentials 200": 2,
    "credentials 400": 1,
    "credentials 401": 1,
    "credentials 403": 1,
    "credentials 404": 1,
    "credentials 405": 1,
    "region 200": 1,
    "zone 200": 1,
    "identity 200": 1,
    "identity 401": 1,
    "container 200": 1,
    "container 401": 1,
    "container 404": 1,
    "health 200": 1,
    "metrics 200": 2,
    "metrics 400": 1,
    "metrics 403": 1,
    "metrics 405": 2,
    "other 404": 21,
  };
  assertEquals(requestsOf(await scrape(serve.url)), expected);
  const page = await scrape(serve.url);
  assertEquals(requestsOf(page), { ...expected, "metrics 200": 3 });
  assertEquals(valuesOf(page).get("tokens"), 2);
  const [issued] = scenario.emulator.issued;
  const secrets = [token, container, issued?.secretAccessKey, issued?.sessionToken];
  const certificate = scenario.identity.certificatePem.split("\n")[1];
  for (
    const secret of [...secrets, issued?.accessKeyId, certificate, "127.0.0.1", "demo-machine"]
  ) {
    assert(secret && !page.includes(secret));
  }
});

Deno.test("POST /metrics gets 405 with Allow, HEAD the headers of GET", async () => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario, ["--metrics"]);
  const refused = await fetch(`${serve.url}/metrics`, { method: "POST" });
  assertEquals([refused.status, refused.headers.get("allow")], [405, "GET, HEAD"]);
  await refused.body?.cancel();
  const head = await fetch(`${serve.url}/metrics`, { method: "HEAD" });
  assertEquals(
    [head.status, head.headers.get("content-type"), await head.text()],
    [200, "text/plain; version=0.0.4; charset=utf-8", ""],
  );
});

Deno.test("serve --metrics has the times of certificate and session, version and start", async () => {
  const day = 86_400_000;
  const seconds = (milliseconds: number) => Math.floor(milliseconds / 1000);
  const notBefore = new Date(seconds(Date.now() - day) * 1000);
  const notAfter = new Date(seconds(Date.now() + 9 * day) * 1000);
  await using scenario = await SessionScenario.create({ notBefore, notAfter });
  const before = Date.now();
  await using serve = await ServeProcess.start(scenario, ["--metrics", "--debug"]);
  const page = await scrape(serve.url);
  const values = valuesOf(page);
  const ofRole = (name: string) => values.get(`${name}{role="Demo"}`);
  assertEquals(
    values.get("certificate_not_before_timestamp_seconds"),
    notBefore.getTime() / 1000,
  );
  assertEquals(values.get("certificate_not_after_timestamp_seconds"), notAfter.getTime() / 1000);
  // The judge of the certificate's end is openssl.
  const { stdout } = await runProgram("openssl", [
    ...["x509", "-in", scenario.identity.certificatePath, "-noout", "-enddate"],
  ]);
  assertEquals(
    values.get("certificate_not_after_timestamp_seconds"),
    Date.parse(stdout.replace("notAfter=", "")) / 1000,
  );
  const [issued] = scenario.emulator.issued;
  const served = await (await serve.get(CREDENTIALS_PATH)).json();
  assertEquals(served.Expiration, issued?.expiration);
  assertEquals(
    ofRole("session_expiration_timestamp_seconds"),
    Date.parse(served.Expiration) / 1000,
  );
  const line = await serve.binary.waitForLine(/the next refresh is at /);
  const next = Date.parse(/the next refresh is at (\S+)$/.exec(line)?.[1] ?? "") / 1000;
  assertEquals(Math.floor(ofRole("session_next_refresh_timestamp_seconds") ?? 0), next);
  assertEquals(values.get(`build_info{version="${VERSION}"}`), 1);
  const started = (values.get("process_start_time_seconds") ?? 0) * 1000;
  assert(started >= before && started <= Date.now(), `${started} is not after ${before}`);
  await serve.binary.waitForLine(
    new RegExp(`^debug: metrics: http://127\\.0\\.0\\.1:${serve.port}/metrics$`),
  );
});

Deno.test("serve --metrics counts refreshes by result, and requests that fail with them", async () => {
  await using scenario = await SessionScenario.create({}, { sessionSeconds: 12 });
  await using serve = await ServeProcess.start(scenario, ["--metrics"]);
  const values = async () => valuesOf(await scrape(serve.url));
  const count = (values: ReadonlyMap<string, number>, result: string) =>
    values.get(`session_refreshes_total{result="${result}",role="Demo"}`) ?? NaN;
  const first = await values();
  assertEquals(
    ["success", "key", "refused", "unavailable", "network", "other"].map((r) => count(first, r)),
    [1, 0, 0, 0, 0, 0],
  );
  assertEquals(first.get('session_failed_refreshes{role="Demo"}'), 0);

  scenario.emulator.fail("empty-set", 1);
  const said = serve.binary.lines.length;
  const failed = await serve.binary.waitForLine(/warning: the refresh failed/, said);
  const second = await values();
  assert(count(second, "other") >= 1, failed);
  await serve.binary.waitForLine(
    /: credentials are valid until/,
    serve.binary.lines.indexOf(failed),
  );
  const third = await values();
  assertEquals(count(third, "other"), 1);
  assert(count(third, "success") >= 2);
  // Each success is a session of the emulator. One more may have come since.
  assert(count(third, "success") <= scenario.emulator.issued.length);

  scenario.emulator.fail("access-denied");
  const refused = await serve.binary.waitForLine(/the refresh failed: AccessDeniedException/);
  const token = await serve.token();
  const fourth = await values();
  assertEquals([count(fourth, "refused"), fourth.get('session_failed_refreshes{role="Demo"}')], [
    1,
    1,
  ]);
  const attempt = Date.parse(/next attempt is at (\S+)$/.exec(refused)?.[1] ?? "") / 1000;
  assertEquals(
    Math.floor(fourth.get('session_next_refresh_timestamp_seconds{role="Demo"}') ?? 0),
    attempt,
  );
  assertEquals(count(fourth, "success"), scenario.emulator.issued.length);

  await serve.binary.waitForLine(
    /warning: the credentials have expired/,
    serve.binary.lines.indexOf(refused),
  );
  for (
    const [response, status] of [
      [await serve.get(CREDENTIALS_PATH, token), 500],
      [await fetch(`${serve.url}/healthz`), 503],
    ] as const
  ) {
    assertEquals(response.status, status, await response.text());
  }
  const page = await scrape(serve.url);
  const requests = requestsOf(page);
  assertEquals([requests["credentials 500"], requests["health 503"]], [1, 1]);
  // It is the expiration of the session that is over.
  assertEquals(
    valuesOf(page).get('session_expiration_timestamp_seconds{role="Demo"}'),
    Date.parse(scenario.emulator.issued.at(-1)?.expiration ?? "") / 1000,
  );
  assert(!page.includes("AccessDenied"));
});

Deno.test("a certificate that was renewed is in the metrics after the next refresh", async () => {
  const soon = new Date(Math.floor(Date.now() / 1000) * 1000 + 86_400_000);
  await using scenario = await SessionScenario.create({ notAfter: soon }, { sessionSeconds: 5 });
  await using serve = await ServeProcess.start(scenario, ["--metrics"]);
  const read = async () =>
    valuesOf(await scrape(serve.url)).get("certificate_not_after_timestamp_seconds");
  assertEquals(await read(), soon.getTime() / 1000);
  const later = new Date(soon.getTime() + 86_400_000);
  const renewed = await issueCertificate(scenario.trustAnchor, {
    subject: "/CN=demo-machine",
    keyPath: scenario.identity.keyPath,
    notAfter: later,
  });
  Deno.renameSync(renewed.certificatePath, scenario.identity.certificatePath);
  const said = serve.binary.lines.length;
  await serve.binary.waitForLine(/: credentials are valid until/, said);
  await serve.binary.waitForLine(/: credentials are valid until/, said + 1);
  assertEquals(await read(), later.getTime() / 1000);
});

Deno.test("without --metrics, /metrics gets 404", async () => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario, ["--metrics=false", "--debug"]);
  const response = await fetch(`${serve.url}/metrics`);
  assertEquals([response.status, await response.text()], [404, "not found"]);
  assert(!serve.binary.lines.some((line) => line.startsWith("debug: metrics")));
});

Deno.test("AWS_SIGNING_HELPER_METRICS=true turns /metrics on", async () => {
  await using scenario = await SessionScenario.create();
  const env = { AWS_SIGNING_HELPER_METRICS: "true" };
  await using serve = await ServeProcess.start(scenario, [], env);
  assertStringIncludes(await scrape(serve.url), `${PREFIX}build_info`);
});

testWith(["linux", "binary"], "--allow-user does not limit /metrics, as /healthz", async () => {
  await using scenario = await SessionScenario.create();
  const path = scenario.directory.join("helper.sock");
  const other = `--allow-user=${(Deno.uid() ?? 0) + 1}`;
  for (const bind of ["127.0.0.1", path]) {
    await using run = new RunningBinary(
      ["serve", ...scenario.flags, "--port=0", `--bind=${bind}`, "--metrics", "--debug", other],
      {},
    );
    const line = await run.waitForLine(/^debug: metrics: /);
    if (bind === path) assertEquals(line, `debug: metrics: /metrics on ${path}`);
    const url = bind === path ? "http://imds/metrics" : line.replace("debug: metrics: ", "");
    using client = Deno.createHttpClient(
      bind === path ? { proxy: { transport: "unix", path } } : {},
    );
    const put = { client, method: "PUT", headers: { [TOKEN_SECONDS]: "60" } };
    const token = await fetch(new URL("/latest/api/token", url), put);
    await token.body?.cancel();
    assertEquals([bind, token.status], [bind, 403]);
    const page = await (await fetch(url, { client })).text();
    assertEquals([bind, requestsOf(page)], [bind, { "token 403": 1 }]);
    assertEquals(valuesOf(page).get("tokens"), 0);
    run.kill("SIGTERM");
    assertEquals((await run.end()).code, 0);
  }
});

testWith(["binary", "prometheus"], "promtool finds nothing to improve in /metrics", async () => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario, ["--metrics"]);
  // Before the first request, the counter of requests has no series.
  for (const _ of [1, 2]) {
    const page = await scrape(serve.url);
    const { code, stdout, stderr } = await promtool(["check", "metrics"], page);
    assertEquals([code, stdout, stderr], [0, "", ""], page);
  }
  // The control: promtool does find what is not right.
  const { code, stderr } = await promtool(
    ["check", "metrics"],
    "# TYPE a_total gauge\na_total 1\n",
  );
  assert(code !== 0 && stderr.includes("a_total"), stderr);
});

testWith(["binary", "prometheus"], "Prometheus scrapes serve --metrics", async () => {
  await using scenario = await SessionScenario.create({}, { sessionSeconds: 5 });
  await using serve = await ServeProcess.start(scenario, ["--metrics"]);
  await using silent = await ServeProcess.start(scenario);
  await using prometheus = await Prometheus.start({
    aws_signing_helper: `127.0.0.1:${serve.port}`,
    without_flag: `127.0.0.1:${silent.port}`,
  });
  const [info] = await prometheus.waitFor(`${PREFIX}build_info`, ({ length }) => length > 0);
  assertEquals([info?.labels["version"], info?.labels["job"]], [VERSION, "aws_signing_helper"]);
  await prometheus.waitFor(
    `sum by (role) (${PREFIX}session_refreshes_total{result="success"})`,
    ([sum]) => sum?.labels["role"] === "Demo" && sum.value >= 2,
  );
  await prometheus.waitFor(
    `${PREFIX}http_requests_total{path="metrics",code="200"}`,
    ([requests]) => (requests?.value ?? 0) >= 2,
  );
  await prometheus.waitFor('up{job="without_flag"}', ([up]) => up?.value === 0);
  const targets = await prometheus.targets();
  assertEquals(
    Object.fromEntries(targets.map(({ scrapePool, health, lastError }) => [
      scrapePool,
      `${health}: ${lastError}`,
    ])),
    {
      aws_signing_helper: "up: ",
      without_flag: "down: server returned HTTP status 404 Not Found",
    },
  );
});
