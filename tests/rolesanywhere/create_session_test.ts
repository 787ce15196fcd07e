import { assertEquals, assertLessOrEqual, assertMatch, assertRejects } from "@std/assert";

import { HelperError } from "../../src/errors.ts";
import { parseSessionArns } from "../../src/rolesanywhere/arn.ts";
import { CALL_LIMITS, createSession } from "../../src/rolesanywhere/create_session.ts";
import type { HttpResponse } from "../../src/http/http_exchange.ts";
import type { HttpRequest } from "../../src/http/request.ts";
import { formatPem } from "../../src/x509/pem.ts";
import { selfSigned } from "../x509/test_certificates.ts";
import { identityOf } from "./test_identity.ts";

const CERTIFICATE_PEM = formatPem("CERTIFICATE", await selfSigned());
const CREDENTIALS = {
  accessKeyId: "ASIAEXAMPLE",
  secretAccessKey: "the-secret-access-key",
  sessionToken: "the-session-token",
  expiration: "2026-01-02T04:04:05Z",
};
const REQUEST = {
  endpoint: new URL("https://example.com"),
  region: "us-east-1",
  arns: parseSessionArns({
    role: "arn:aws:iam::123456789012:role/r",
    profile: "arn:aws:rolesanywhere:us-east-1:123456789012:profile/p",
    trustAnchor: "arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/t",
  }),
  durationSeconds: 900,
};

type Answer = { status: number; body?: unknown; headers?: Record<string, string> };
/** Response or failure to send, and the milliseconds until it comes. */
type Outcome = (Answer | HelperError) & { after?: number };

const SUCCESS: Answer = { status: 201, body: { credentialSet: [{ credentials: CREDENTIALS }] } };

function httpAnswer({ status, body = "", headers = {} }: Answer): HttpResponse {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return {
    status,
    headers: new Map(Object.entries(headers)),
    body: new TextEncoder().encode(text),
  };
}

/** Calls createSession with fake dependencies, whose clock moves by responses and delays only. */
function simulate(outcomes: readonly Outcome[], random = 0.5) {
  const started = Date.parse("2026-01-02T03:04:05Z");
  let clock = 0;
  const sent: { request: HttpRequest; timeout: number; at: number }[] = [];
  const delays: number[] = [];
  const messages: string[] = [];
  const identity = identityOf({
    certificatePem: CERTIFICATE_PEM,
    signWith: () => Uint8Array.of(sent.length),
  });
  const result = (request: Partial<typeof REQUEST> & { roleSessionName?: string } = {}) =>
    createSession({ ...REQUEST, ...request }, identity, {
      send: (signed, timeout) => {
        const outcome = outcomes[Math.min(sent.length, outcomes.length - 1)];
        sent.push({ request: signed, timeout, at: clock });
        clock += outcome?.after ?? 0;
        if (!outcome) return Promise.reject(new Error("no outcome was planned"));
        return outcome instanceof HelperError
          ? Promise.reject(outcome)
          : Promise.resolve(httpAnswer(outcome));
      },
      now: () => new Date(started + clock),
      monotonic: () => clock + 12_345,
      sleep: (milliseconds) => {
        delays.push(milliseconds);
        clock += milliseconds;
        return Promise.resolve();
      },
      random: () => random,
      debug: (text) => messages.push(text),
    });
  return { result, sent, delays, messages, identity, elapsed: () => clock };
}

const textOf = (request: HttpRequest) => new TextDecoder().decode(request.body);

async function refusal(simulation: ReturnType<typeof simulate>): Promise<HelperError> {
  return await assertRejects(() => simulation.result(), HelperError);
}

Deno.test("createSession() returns the credentials if the service responds at once", async () => {
  const simulation = simulate([SUCCESS]);
  const credentials = await simulation.result();
  assertEquals(credentials, { ...CREDENTIALS, expiration: new Date(CREDENTIALS.expiration) });
  const [{ request, timeout } = { request: undefined, timeout: 0 }] = simulation.sent;
  assertEquals([simulation.sent.length, timeout], [1, CALL_LIMITS.request]);
  assertEquals(request && textOf(request), '{"durationSeconds":900}');
  assertEquals(
    request?.url.search,
    "?profileArn=arn%3Aaws%3Arolesanywhere%3Aus-east-1%3A123456789012%3Aprofile%2Fp" +
      "&roleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr" +
      "&trustAnchorArn=arn%3Aaws%3Arolesanywhere%3Aus-east-1%3A123456789012%3Atrust-anchor%2Ft",
  );
});

Deno.test("createSession() accepts any 2xx with credentials, and sends the session's name", async () => {
  const simulation = simulate([{ ...SUCCESS, status: 200 }]);
  await simulation.result({ roleSessionName: "name" });
  const [first] = simulation.sent;
  assertEquals(
    first && textOf(first.request),
    '{"durationSeconds":900,"roleSessionName":"name"}',
  );
});

Deno.test("createSession() logs its steps with debug, and no credentials", async () => {
  const headers = { "x-amzn-requestid": "the-request-id" };
  const simulation = simulate([{ status: 503 }, { ...SUCCESS, headers }]);
  await simulation.result();
  const log = simulation.messages.join("\n");
  assertMatch(log, /POST https:\/\/example\.com\/sessions/);
  assertMatch(log, /attempt 1/);
  assertMatch(log, /the-request-id/);
  for (const secret of [CREDENTIALS.secretAccessKey, CREDENTIALS.sessionToken]) {
    assertEquals(log.includes(secret), false);
  }
});

const named = (status: number, code: string): Answer => ({ status, body: { code } });
const RETRIED: Record<string, Outcome> = {
  "429": { status: 429 },
  "500": { status: 500 },
  "502 with HTML": { status: 502, body: "<html></html>" },
  "503": named(503, "ServiceUnavailableException"),
  "504": { status: 504 },
  "a 400 named ThrottlingException": named(400, "ThrottlingException"),
  "a 403 named TooManyRequestsException": named(403, "TooManyRequestsException"),
  "a 400 named RequestLimitExceeded": named(400, "RequestLimitExceeded"),
  "no connection": new HelperError("network", "refused"),
  "no response in time": new HelperError("network-timeout", "no answer"),
};

for (const [what, outcome] of Object.entries(RETRIED)) {
  Deno.test(`createSession() retries, signed again with a new date, after ${what}`, async () => {
    const simulation = simulate([Object.assign(outcome, { after: 1000 }), SUCCESS]);
    assertEquals((await simulation.result()).accessKeyId, CREDENTIALS.accessKeyId);
    const dates = simulation.sent.map(({ request }) => request.headers.get("x-amz-date"));
    assertEquals(dates, ["20260102T030405Z", "20260102T030406Z"]);
    assertEquals(simulation.identity.signed.length, 2);
    const [first, second] = simulation.sent.map(({ request }) =>
      request.headers.get("authorization")?.split("Signature=")[1]
    );
    assertEquals([first, second], ["00", "01"]);
  });
}

const NOT_RETRIED: Record<string, [Outcome, string]> = {
  "AccessDenied": [named(403, "AccessDeniedException"), "service-refused"],
  "Validation": [named(400, "ValidationException"), "service-refused"],
  "ResourceNotFound": [named(404, "ResourceNotFoundException"), "service-refused"],
  "a bare 404": [{ status: 404 }, "service-answer"],
  "a redirect": [{ status: 302, headers: { location: "https://evil" } }, "service-answer"],
  "a response without credentials": [{ status: 201, body: {} }, "service-answer"],
  "an untrusted server": [new HelperError("tls", "untrusted"), "tls"],
  "a wrong key": [new HelperError("key-locked", "PIN"), "key-locked"],
};

for (const [what, [outcome, code]] of Object.entries(NOT_RETRIED)) {
  Deno.test(`createSession() throws ${code} at once after ${what}`, async () => {
    const simulation = simulate([outcome, SUCCESS]);
    assertEquals((await refusal(simulation)).code, code);
    assertEquals([simulation.sent.length, simulation.delays], [1, []]);
  });
}

Deno.test("createSession() rethrows other errors than HelperError without a retry", async () => {
  const simulation = simulate([]);
  await assertRejects(() => simulation.result(), Error, "no outcome was planned");
  assertEquals(simulation.sent.length, 1);
});

Deno.test("createSession() ends after its attempts with the last failure", async () => {
  const simulation = simulate([{ status: 429 }, { status: 500 }, named(503, "Last")]);
  const error = await refusal(simulation);
  assertEquals([error.code, error.message.startsWith("Last")], ["service-unavailable", true]);
  assertEquals(simulation.sent.length, CALL_LIMITS.attempts);
  assertEquals(simulation.delays.length, CALL_LIMITS.attempts - 1);
});

for (const random of [0, 0.25, 0.999_999]) {
  Deno.test(`createSession() doubles the maximum delay, with the random number ${random}`, async () => {
    const simulation = simulate([{ status: 503 }], random);
    await refusal(simulation);
    assertEquals(
      simulation.delays,
      [1, 2, 4, 8].map((factor) => Math.round(random * factor * CALL_LIMITS.firstDelay)),
    );
  });
}

Deno.test("createSession() waits at least as long as Retry-After", async () => {
  const headers = (value: string) => ({ status: 429, headers: { "retry-after": value } });
  const cases: [string, number][] = [["3", 3000], ["0", 250], ["x", 250], ["-1", 250], [
    "1.5",
    250,
  ]];
  for (const [value, pause] of cases) {
    const simulation = simulate([headers(value), SUCCESS]);
    await simulation.result();
    assertEquals(simulation.delays, [pause]);
  }
});

Deno.test("createSession() does not retry if Retry-After is past the remaining time", async () => {
  for (const value of ["30", "3600", "9999"]) {
    const simulation = simulate([{ status: 503, headers: { "retry-after": value } }]);
    assertEquals((await refusal(simulation)).code, "service-unavailable");
    assertEquals([simulation.sent.length, simulation.delays], [1, []]);
  }
});

Deno.test("createSession() keeps all attempts and delays within its total", async () => {
  for (const after of [100, 4000, 7000, 14_000, 15_000]) {
    const timeout = Object.assign(new HelperError("network-timeout", "no answer"), { after });
    const simulation = simulate([timeout], 0.999);
    assertEquals((await refusal(simulation)).code, "network-timeout");
    for (const { at, timeout: limit } of simulation.sent) {
      assertLessOrEqual(limit, CALL_LIMITS.request);
      assertLessOrEqual(at + limit, CALL_LIMITS.total);
      assertEquals(limit > 0, true);
    }
  }
});

const set = (change: Record<string, unknown>) => ({
  credentialSet: [{ credentials: { ...CREDENTIALS, ...change } }],
});
const MALFORMED: Record<string, unknown> = {
  "nothing": "",
  "HTML": "<html>hello</html>",
  "half of the JSON": JSON.stringify(SUCCESS.body).slice(0, 80),
  "null": "null",
  "a number": "1",
  "a string": '"credentialSet"',
  "an array": "[]",
  "no credential set": {},
  "a credential set of another form": { credentialSet: { credentials: CREDENTIALS } },
  "an empty credential set": { credentialSet: [] },
  "a credential set of null": { credentialSet: [null] },
  "no credentials in the set": { credentialSet: [{}] },
  "credentials that are null": { credentialSet: [{ credentials: null }] },
  "no access key": set({ accessKeyId: undefined }),
  "an empty access key": set({ accessKeyId: "" }),
  "a secret that is a number": set({ secretAccessKey: 1 }),
  "no session token": set({ sessionToken: undefined }),
  "no expiration": set({ expiration: undefined }),
  "an expiration that is not a time": set({ expiration: "soon" }),
};

for (const [what, body] of Object.entries(MALFORMED)) {
  Deno.test(`createSession() throws service-answer without secrets if the 201 has ${what}`, async () => {
    const simulation = simulate([{ status: 201, body }]);
    const error = await refusal(simulation);
    assertEquals([error.code, simulation.sent.length], ["service-answer", 1]);
    assertEquals(/the-se/.test(error.message), false);
  });
}

const ERROR_TEXTS: [string, Answer, string][] = [
  [
    "header and message",
    {
      status: 403,
      headers: { "x-amzn-errortype": "AccessDeniedException:http://internal.amazon.com/" },
      body: { message: "Untrusted certificate. Insufficient certificate" },
    },
    "AccessDeniedException: Untrusted certificate. Insufficient certificate",
  ],
  [
    "code and Message",
    { status: 400, body: { code: "ValidationException", Message: "bad" } },
    "ValidationException: bad",
  ],
  [
    "__type with a namespace",
    { status: 404, body: { __type: "com.amazon#ResourceNotFoundException:x", message: "gone" } },
    "ResourceNotFoundException: gone",
  ],
  ["a code only", named(403, "AccessDeniedException"), "AccessDeniedException"],
  [
    "the header over the body",
    { status: 403, headers: { "x-amzn-errortype": "A" }, body: { code: "B", __type: "C" } },
    "A",
  ],
  [
    "text that would steer a terminal",
    { status: 403, body: { code: "A\x1b[31m", message: "one\r\ntwo\u202e\0three" } },
    "A [31m: one two three",
  ],
];

for (const [what, answer, message] of ERROR_TEXTS) {
  Deno.test(`createSession() reports the service's own message: ${what}`, async () => {
    const error = await refusal(simulate([answer]));
    assertEquals([error.code, error.message], ["service-refused", message]);
  });
}

Deno.test("createSession() truncates an endless message of the service", async () => {
  const error = await refusal(
    simulate([{ status: 403, body: { code: "A", message: "x".repeat(1 << 20) } }]),
  );
  assertLessOrEqual(error.message.length, 2000);
});

Deno.test("createSession() adds to a refusal that the trust anchor is in another region", async () => {
  const { result } = simulate([named(404, "ResourceNotFoundException")]);
  const error = await assertRejects(() => result({ region: "us-west-2" }), HelperError);
  assertEquals(
    error.message,
    "ResourceNotFoundException; the region is us-west-2, but the trust anchor is in us-east-1",
  );
});
