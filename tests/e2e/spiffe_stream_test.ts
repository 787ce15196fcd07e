/** Long-running commands with `spiffe:`, on a double of the Workload API. */
import { assert, assertEquals, assertMatch } from "@std/assert";

import { headerValues } from "../emulator/raw_request.ts";
import { type Authority, issueCertificate } from "../support/certificates.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { END_TIMEOUT, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { type Behaviour, type DoubleSvid, WorkloadApiDouble } from "../support/workload_api.ts";

const ID = "spiffe://example.org/workload";
const SECOND = 1000;
/** Lifetime of sessions, so that SVIDs are used every few seconds. */
const SESSION = { sessionSeconds: 12 };
/** Timeout of a step, milliseconds. */
const STEP_TIMEOUT = 60_000;
/** Time in which the program must end after a signal, milliseconds. */

/** Issues an SVID whose life began an hour ago at most, and that ends after `seconds`. */
async function issue(authority: Authority, seconds: number, started = 0): Promise<DoubleSvid> {
  const now = Date.now();
  const { certificatePem, keyPem } = await issueCertificate(authority, {
    subject: "/CN=workload",
    extensions: { subjectAltName: `URI:${ID}` },
    notBefore: new Date(now - started * SECOND),
    notAfter: new Date(now + seconds * SECOND),
  });
  return { id: ID, certificates: certificatePem, key: keyPem, bundle: authority.certificatePem };
}

const base64Of = (svid: DoubleSvid) => svid.certificates.replace(/-----[^-]*-----|\s/g, "");

async function waitUntil(what: string, condition: () => boolean): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > STEP_TIMEOUT) throw new Error(`not within time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Starts the service, a double, and the flags for both. */
async function open(behaviour: Behaviour) {
  const scenario = await SessionScenario.create({}, SESSION);
  const path = scenario.directory.join("agent.sock");
  const listen = () => WorkloadApiDouble.start(path, behaviour);
  let double = listen();
  return {
    scenario,
    path,
    flags: ["--certificate", `spiffe:unix://${path}`, ...scenario.serviceFlags],
    double: () => double,
    /** Certificates in the requests so far, the last one first. */
    sent: () =>
      scenario.emulator.requests.map((request) => headerValues(request, "x-amz-x509")[0])
        .toReversed(),
    async restart() {
      await double[Symbol.asyncDispose]();
      double = listen();
    },
    async [Symbol.asyncDispose]() {
      await double[Symbol.asyncDispose]();
      await scenario[Symbol.asyncDispose]();
    },
  };
}

/** Ends `serve`, and checks that it ends in time and closes its connections. */
async function end(serve: ServeProcess, double: WorkloadApiDouble): Promise<void> {
  const { code, milliseconds } = await serve.end();
  assertEquals(code, 0);
  assert(milliseconds < END_TIMEOUT, `${milliseconds} ms`);
  await waitUntil("the end of all connections", () => double.connections === 0);
}

/** The tests: each waits for most of its time, so all run at once. */
const tests = new Map<string, () => Promise<void>>();
const test = (name: string, run: () => Promise<void>) => void tests.set(name, run);

const warningsOf = ({ binary }: ServeProcess) =>
  binary.lines.filter((line) => line.includes("spiffe:"));

test("serve uses an SVID that the stream brings, over one connection", async () => {
  let current: DoubleSvid;
  let change = Promise.withResolvers<void>();
  await using at = await open(async (call) => {
    await call.headers();
    for (;;) {
      await call.message([current]);
      if (await Promise.race([change.promise, call.ended.then(() => true)])) return;
    }
  });
  current = await issue(at.scenario.trustAnchor, 3600);
  await using serve = await ServeProcess.start(at);
  assertEquals(at.sent()[0], base64Of(current));
  for (let i = 0; i < 2; i++) {
    current = await issue(at.scenario.trustAnchor, 3600);
    change.resolve();
    change = Promise.withResolvers();
    await waitUntil("the new SVID", () => at.sent()[0] === base64Of(current));
  }
  assertEquals([at.double().calls, at.double().connections], [1, 1]);
  assertEquals(warningsOf(serve), []);
  await end(serve, at.double());
});

test("serve opens a stream again that ends, and uses the SVID in hand meanwhile", async () => {
  let current: DoubleSvid;
  let isGarbage = false;
  const closing = Promise.withResolvers<void>();
  await using at = await open(async (call, number) => {
    if (isGarbage) return await call.headers({ "content-type": "text/html" }, true);
    await call.send([current]);
    if (number > 1) return;
    await closing.promise;
    await call.trailers(0);
  });
  current = await issue(at.scenario.trustAnchor, 3600);
  await using serve = await ServeProcess.start(at);

  closing.resolve();
  await waitUntil("another stream", () => at.double().calls === 2);
  assertEquals(warningsOf(serve), [], "a stream that is back at once is not reported");

  isGarbage = true;
  await at.restart();
  const line = await serve.binary.waitForLine(/from before is used until/);
  assertMatch(line, /warning: spiffe:\S+: the response is not that of a SPIFFE Workload API; /);
  const before = at.sent().length;
  await waitUntil("sessions without an agent", () => at.sent().length >= before + 2);
  assertEquals(new Set(at.sent()), new Set([base64Of(current)]));
  assertEquals(warningsOf(serve).length, 1, "a failure is reported once");
  const { calls } = at.double();
  assert(calls < 30, `${calls} calls: no backoff`);

  isGarbage = false;
  current = await issue(at.scenario.trustAnchor, 3600);
  await serve.binary.waitForLine(/the SPIFFE agent is back/);
  await waitUntil("the new SVID", () => at.sent()[0] === base64Of(current));
  assertEquals(warningsOf(serve).length, 2);
  await end(serve, at.double());
});

test("serve warns once of an SVID that is not renewed, and once of its end", async () => {
  let current: DoubleSvid;
  await using at = await open((call) => call.send([current]));
  current = await issue(at.scenario.trustAnchor, 12, 30);
  await using serve = await ServeProcess.start(at);
  await serve.binary.waitForLine(/the SVID expires at \S+ and is not renewed; check the SPIFFE/);
  // It has asked with a new stream before the warning.
  assert(at.double().calls >= 2);
  await serve.binary.waitForLine(/the SVID expired at \S+ without renewal; check the SPIFFE/);
  const warned = warningsOf(serve).filter((line) => /SVID expire[sd] at/.test(line));
  assertEquals(warned.length, 2, warned.join("\n"));
  await serve.binary.waitForLine(/the certificate in spiffe:\S+ expired at/);
  // Files are renewed by the user, and their warning is another one.
  assertEquals(serve.binary.lines.filter((line) => / expires at .*; renew it/.test(line)), []);

  current = await issue(at.scenario.trustAnchor, 3600);
  await at.restart();
  await serve.binary.waitForLine(/the SVID is renewed/);
  await waitUntil("the new SVID", () => at.sent()[0] === base64Of(current));
  // The response to the request with it may not have arrived.
  let health: [number, string];
  const start = performance.now();
  do {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const response = await serve.get("/healthz");
    health = [response.status, (await response.json()).status];
  } while (health[0] !== 200 && performance.now() - start < 5_000);
  assertEquals(health, [200, "ok"]);
  await end(serve, at.double());
});

test("serve ends in time while the agent is silent", async () => {
  let current: DoubleSvid | undefined;
  await using at = await open(async (call) => {
    if (current) await call.send([current]);
    else await call.ended;
  });
  current = await issue(at.scenario.trustAnchor, 8);
  await using serve = await ServeProcess.start(at);
  current = undefined;
  await serve.binary.waitForLine(/the SVID expired at/);
  await serve.binary.waitForLine(/the refresh failed: .*sent no SVID within 4 s/);
  assertEquals(warningsOf(serve).filter((line) => line.includes("from before is used")), []);
  await end(serve, at.double());
});

test("update ends in time while it waits for the first SVID", async () => {
  await using at = await open((call) => call.ended);
  await using update = new RunningBinary(["update", ...at.flags], {
    AWS_SHARED_CREDENTIALS_FILE: at.scenario.directory.join("credentials"),
  });
  await waitUntil("a call", () => at.double().calls === 1);
  const start = performance.now();
  update.kill("SIGTERM");
  await update.end();
  assert(performance.now() - start < END_TIMEOUT);
  await waitUntil("the end of all connections", () => at.double().connections === 0);
});

Deno.test("serve and update follow the stream of a Workload API", async (context) => {
  // The sanitizers of this test cover all steps.
  const unchecked = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };
  const passed = await Promise.all(
    [...tests].map(([name, fn]) => context.step({ name, fn, ...unchecked })),
  );
  assertEquals(passed, passed.map(() => true));
});
