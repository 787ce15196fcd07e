import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";

import { CreateSessionEmulator, type EmulatorOptions } from "./emulator.ts";
import { type FailureMode, FAILURES } from "./failures.ts";
import type { RawRequest } from "./raw_request.ts";
import { NOW, type SigningOptions, signRequest } from "./request_signer.ts";
import { makeTestAuthority } from "./test_authority.ts";

const pki = await makeTestAuthority();
const TLS = { certificate: pki.server.certificatePem, key: pki.server.keyPem };

function start(options: Partial<EmulatorOptions> = {}): Promise<CreateSessionEmulator> {
  return CreateSessionEmulator.start({
    trustAnchors: [pki.root.certificatePem],
    region: "us-east-1",
    clock: () => NOW,
    tls: TLS,
    ...options,
  });
}

function client(): Deno.HttpClient {
  return Deno.createHttpClient({ caCerts: [pki.root.certificatePem], http2: false });
}

/** Sends a signed request to the emulator and reads the whole response. */
async function send(
  emulator: CreateSessionEmulator,
  options: SigningOptions = {},
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; text: string }> {
  const { host, origin } = new URL(emulator.url);
  const request = await signRequest(pki.client, { host, ...options });
  using http = client();
  const response = await fetch(`${origin}${request.url}`, {
    method: request.method,
    headers: request.headers.filter(([name]) => name !== "host").map(([...pair]) => pair),
    body: request.body,
    client: http,
    redirect: "manual",
    ...init,
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

for (const [scheme, tls] of [["https", TLS], ["http", undefined]] as const) {
  Deno.test(`CreateSessionEmulator responds in the service's form over ${scheme}`, async () => {
    await using emulator = await CreateSessionEmulator.start({
      trustAnchors: [pki.root.certificatePem],
      region: "us-east-1",
      ...(tls === undefined ? {} : { tls }),
    });
    assertEquals(emulator.url, `${scheme}://localhost:${emulator.port}`);
    const { status, headers, text } = await send(emulator, {
      time: new Date(),
      body: '{"durationSeconds":1800,"roleSessionName":"worker"}',
    });
    assertEquals(status, 201);
    assertEquals(headers.get("content-type"), "application/json");
    const { credentialSet: [entry, ...others], subjectArn } = JSON.parse(text);
    assertEquals(others, []);
    assertEquals(entry.credentials, { ...emulator.issued[0] });
    assertMatch(entry.credentials.accessKeyId, /^ASIA[A-Z0-9]{16}$/);
    assertMatch(entry.credentials.secretAccessKey, /^[A-Za-z0-9+/]{40}$/);
    assertMatch(entry.credentials.sessionToken, /^[A-Za-z0-9+/]{300,}={0,2}$/);
    assertEquals(entry.assumedRoleUser.arn, "arn:aws:sts::123456789012:assumed-role/tester/worker");
    assertMatch(entry.assumedRoleUser.assumedRoleId, /^AROA[A-Z0-9]{17}:worker$/);
    assertEquals(entry.roleArn, "arn:aws:iam::123456789012:role/path/tester");
    assertEquals(entry.sourceIdentity, "CN=tester");
    assertMatch(
      subjectArn,
      /^arn:aws:rolesanywhere:us-east-1:123456789012:subject\/[0-9a-f-]{36}$/,
    );
    assertEquals(emulator.requests[0]?.outcome, { status: 201, code: null });
  });
}

Deno.test("CreateSessionEmulator sets the expiration by its clock", async () => {
  await using now = await start({ clock: () => new Date(NOW.getTime() + 900) });
  await send(now, { body: '{"durationSeconds":900}' });
  const expiration = new Date(NOW.getTime() + 900_000).toISOString().replace(".000Z", "Z");
  assertEquals(now.issued[0]?.expiration, expiration);

  await using short = await start({ sessionSeconds: 5 });
  await send(short);
  assertEquals(Date.parse(short.issued[0]?.expiration ?? ""), NOW.getTime() + 5000);
});

Deno.test("CreateSessionEmulator returns different credentials for each session", async () => {
  await using emulator = await start();
  await send(emulator);
  await send(emulator);
  const [first, second] = emulator.issued;
  assert(first !== undefined && second !== undefined);
  assertNotEquals(first.accessKeyId, second.accessKeyId);
  assertNotEquals(first.secretAccessKey, second.secretAccessKey);
  assertNotEquals(first.sessionToken, second.sessionToken);
});

Deno.test("CreateSessionEmulator returns a refusal like the service", async () => {
  await using emulator = await start();
  const { status, headers, text } = await send(emulator, { region: "us-west-2" });
  assertEquals(status, 403);
  assertEquals(headers.get("x-amzn-errortype"), "AccessDeniedException");
  assertMatch(JSON.parse(text).message, /^Region of the credential scope/);
  assertEquals(emulator.requests[0]?.outcome, { status: 403, code: "AccessDeniedException" });
  assertEquals(emulator.issued, []);
});

Deno.test("CreateSessionEmulator serves below its path prefix if it has one", async () => {
  await using emulator = await start({ pathPrefix: "/some/prefix" });
  assertEquals(new URL(emulator.url).pathname, "/some/prefix");
  assertEquals((await send(emulator, { path: "/some/prefix/sessions" })).status, 201);
  assertEquals((await send(emulator)).status, 404);
});

Deno.test("CreateSessionEmulator records headers and target as sent", async () => {
  await using emulator = await CreateSessionEmulator.start({
    trustAnchors: [pki.root.certificatePem],
    region: "us-east-1",
  });
  using connection = await Deno.connect({ port: emulator.port });
  const wire = "POST /a//../%7e?b=1&a=+ HTTP/1.1\r\nHOST: x:1\r\nB:  two  blanks \r\nb: again\r\n" +
    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  // In two parts, for a reader that takes one read for one request.
  await connection.write(new TextEncoder().encode(wire.slice(0, 30)));
  await connection.write(new TextEncoder().encode(wire.slice(30)));
  const buffer = new Uint8Array(4096);
  const count = await connection.read(buffer) ?? 0;
  assertMatch(new TextDecoder().decode(buffer.subarray(0, count)), /^HTTP\/1\.1 404 Not Found\r\n/);
  const [request] = emulator.requests;
  assertEquals(request?.url, "/a//../%7e?b=1&a=+");
  assertEquals(request?.headers, [
    ["HOST", "x:1"],
    ["B", "two  blanks"],
    ["b", "again"],
    ["Transfer-Encoding", "chunked"],
  ]);
  assertEquals(new TextDecoder().decode(request?.body), "abcde");
});

Deno.test("CreateSessionEmulator handles several requests on one connection", async () => {
  await using emulator = await CreateSessionEmulator.start({
    trustAnchors: [pki.root.certificatePem],
    region: "us-east-1",
    clock: () => NOW,
  });
  const request = await signRequest(pki.client, { host: `localhost:${emulator.port}` });
  using connection = await Deno.connect({ port: emulator.port });
  await connection.write(new TextEncoder().encode(onWire(request) + onWire(request, "close")));
  const text = await new Response(connection.readable).text();
  assertEquals(text.match(/HTTP\/1\.1 201 Created/g)?.length, 2);
  assertEquals(emulator.issued.length, 2);
});

Deno.test("CreateSessionEmulator keeps running if a client sends garbage", async () => {
  await using emulator = await start();
  using http = Deno.createHttpClient({ http2: false });
  await assertRejects(() => fetch(emulator.url, { client: http }), TypeError);
  {
    using connection = await Deno.connect({ port: emulator.port });
    await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  }
  assertEquals((await send(emulator)).status, 201);
  assertEquals(emulator.requests.length, 1);
});

Deno.test("CreateSessionEmulator delays responses by its latency", async () => {
  await using emulator = await start({ latencyMilliseconds: 60 });
  const before = performance.now();
  assertEquals((await send(emulator)).status, 201);
  assert(performance.now() - before >= 59);
});

Deno.test("CreateSessionEmulator rejects without a trust anchor or with a port in use", async () => {
  await assertRejects(() => start({ trustAnchors: [] }), TypeError, "no trust anchor");
  await using emulator = await start();
  await assertRejects(() => start({ port: emulator.port }), Deno.errors.AddrInUse);
});

Deno.test("fail() affects a number of requests in order, recover() ends it", async () => {
  await using emulator = await start();
  emulator.fail("throttled", 2);
  emulator.fail("service-error", 1);
  const statuses = async (count: number) => {
    const answers: number[] = [];
    while (answers.length < count) answers.push((await send(emulator)).status);
    return answers;
  };
  assertEquals(await statuses(4), [429, 429, 500, 201]);
  emulator.fail("unavailable");
  assertEquals(await statuses(3), [503, 503, 503]);
  emulator.recover();
  assertEquals(await statuses(1), [201]);
  assertEquals(emulator.issued.length, 2);
  assertEquals(emulator.requests.map(({ failure }) => failure), [
    ...["throttled", "throttled", "service-error", null],
    ...["unavailable", "unavailable", "unavailable", null],
  ]);
});

Deno.test("fail() does not hide a broken rule if the failure mode replaces the response", async () => {
  await using emulator = await start();
  emulator.fail("throttled");
  assertEquals((await send(emulator, { serial: "1" })).status, 429);
  assertEquals(emulator.requests[0]?.refusal?.reason, "serial-mismatch");
  emulator.recover();
  emulator.fail("empty-set");
  assertEquals((await send(emulator, { serial: "1" })).status, 403);
});

/** Responses of the failure modes. */
const ANSWERED: Partial<Record<FailureMode, [status: number, code: string | null, text: RegExp]>> =
  {
    "access-denied": [403, "AccessDeniedException", /^\{"message":"Untrusted certificate/],
    "validation": [400, "ValidationException", /^\{"message":/],
    "resource-not-found": [404, "ResourceNotFoundException", /^\{"message":/],
    "throttled": [429, "ThrottlingException", /^\{"message":"Rate exceeded"\}$/],
    "service-error": [500, "InternalServerException", /^\{"message":/],
    "unavailable": [503, "ServiceUnavailableException", /^\{"message":/],
    "body-code-only": [403, null, /^\{"__type":"AccessDeniedException","message":/],
    "signature-expired": [403, "InvalidSignatureException", /"Signature expired: /],
    "signature-not-current": [403, "InvalidSignatureException", /"Signature not yet current"/],
    "html-500": [502, null, /^<!DOCTYPE html>/],
    "redirect": [302, null, /^$/],
    "slow": [201, null, /^\{"credentialSet":\[\{/],
    "wrong-json": [201, null, /^\{"credentialSet": \[\{"credentials": $/],
    "empty-set": [201, null, /^\{"credentialSet":\[\],"subjectArn":/],
    "huge-answer": [201, null, /^\{"credentialSet":\[\{.*x{1000}/],
    "missing-fields": [201, null, /"secretAccessKey":"[^"]+","expiration":/],
    "bad-expiration": [201, null, /"expiration":"tomorrow"/],
  };

for (const [mode, [status, code, text]] of Object.entries(ANSWERED)) {
  Deno.test(`fail() responds with ${status} if the mode is ${mode}`, async () => {
    await using emulator = await start();
    emulator.fail(mode as FailureMode, 1, 50);
    const before = performance.now();
    const answer = await send(emulator);
    assertEquals(answer.status, status);
    assertEquals(answer.headers.get("x-amzn-errortype")?.split(":")[0] ?? null, code);
    assertMatch(answer.text, text);
    assertEquals(emulator.requests[0]?.outcome, { status, code });
    assertEquals(emulator.requests[0]?.failure, mode);
    assertEquals(emulator.issued.length, mode === "slow" ? 1 : 0);
    if (mode === "slow") assert(performance.now() - before >= 49);
    if (mode === "huge-answer") assert(answer.text.length > 32 * 1024 * 1024);
    if (mode === "redirect") assertEquals(answer.headers.get("location"), "/elsewhere/sessions");
    assertEquals((await send(emulator)).status, 201);
  });
}

Deno.test("every failure mode in the table is met by a test", () => {
  const met = [...Object.keys(ANSWERED), "drop", "hang", "half-answer"];
  assertEquals(Object.keys(FAILURES).sort(), met.sort());
});

for (const [scheme, tls] of [["https", TLS], ["http", undefined]] as const) {
  const options = { trustAnchors: [pki.root.certificatePem], region: "us-east-1" };
  const open = () =>
    CreateSessionEmulator.start({ ...options, ...(tls === undefined ? {} : { tls }) });

  Deno.test(`fail() closes before any response over ${scheme} when the mode is drop`, async () => {
    await using emulator = await open();
    emulator.fail("drop");
    using connection = await connect(emulator, tls !== undefined);
    await connection.write(new TextEncoder().encode(onWire(await signRequest(pki.client))));
    assertEquals(await readAll(connection), "");
    assertEquals(emulator.requests[0]?.outcome, { status: 0, code: null });
    await assertRejects(() => send(emulator), TypeError);
    assertEquals(emulator.issued, []);
  });

  Deno.test(`fail() closes within the body over ${scheme} when the mode is half-answer`, async () => {
    await using emulator = await open();
    emulator.fail("half-answer");
    using connection = await connect(emulator, tls !== undefined);
    const request = await signRequest(pki.client, { time: new Date() });
    await connection.write(new TextEncoder().encode(onWire(request)));
    const [head = "", body = ""] = (await readAll(connection)).split("\r\n\r\n");
    assertMatch(head, /^HTTP\/1\.1 201 /);
    const length = Number(/^content-length: (\d+)$/m.exec(head)?.[1]);
    assertEquals(body.length, Math.ceil(length / 2));
    assertMatch(body, /^\{"credentialSet":\[\{/);
    await assertRejects(() => send(emulator, { time: new Date() }), TypeError);
    assertEquals(emulator.issued, []);
  });

  Deno.test(`fail() never responds over ${scheme} when the mode is hang`, async () => {
    await using emulator = await open();
    emulator.fail("hang");
    const timeout = new AbortController();
    const rejected = assertRejects(
      () => send(emulator, {}, { signal: timeout.signal }),
      DOMException,
      "timed out",
    );
    while (emulator.requests.length === 0) await new Promise((done) => setTimeout(done, 5));
    await new Promise((done) => setTimeout(done, 80));
    timeout.abort(new DOMException("timed out", "TimeoutError"));
    await rejected;
    assertEquals(emulator.requests.length, 1);
  });

  Deno.test(`CreateSessionEmulator ends a hanging connection over ${scheme} when disposed`, async () => {
    using connection = await (async () => {
      await using emulator = await open();
      emulator.fail("hang");
      const client = await connect(emulator, tls !== undefined);
      await client.write(new TextEncoder().encode(onWire(await signRequest(pki.client))));
      while (emulator.requests.length === 0) await new Promise((done) => setTimeout(done, 5));
      return client;
    })();
    assertEquals(await readAll(connection), "");
  });
}

Deno.test("CreateSessionEmulator aborts a slow response when disposed", async () => {
  const before = performance.now();
  let pending: Promise<unknown>;
  {
    await using emulator = await start();
    emulator.fail("slow", 1, 60_000);
    pending = assertRejects(() => send(emulator), TypeError);
    while (emulator.requests.length === 0) await new Promise((done) => setTimeout(done, 5));
  }
  await pending;
  assert(performance.now() - before < 30_000);
});

function connect(emulator: CreateSessionEmulator, tls: boolean): Promise<Deno.Conn> {
  const { port } = emulator;
  // The name localhost is ::1 first on many machines, and the emulator listens on 127.0.0.1.
  const hostname = "127.0.0.1";
  const caCerts = [pki.root.certificatePem];
  return tls ? Deno.connectTls({ hostname, port, caCerts }) : Deno.connect({ hostname, port });
}

/** Reads everything until the connection ends or breaks. */
async function readAll(connection: Deno.Conn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(65536);
  try {
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) return text;
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
  } catch (error) {
    if (error instanceof Deno.errors.UnexpectedEof) return text;
    if (error instanceof Deno.errors.ConnectionReset) return text;
    throw error;
  }
}

function onWire(request: RawRequest, connection = "keep-alive"): string {
  return [
    `${request.method} ${request.url} HTTP/1.1`,
    ...request.headers.map((pair) => pair.join(": ")),
    `content-length: ${request.body.length}`,
    `connection: ${connection}`,
    "",
    new TextDecoder().decode(request.body),
  ].join("\r\n");
}
