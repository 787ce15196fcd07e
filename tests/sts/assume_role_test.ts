import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import { HelperError } from "../../src/errors.ts";
import type { HttpResponse } from "../../src/http/http_exchange.ts";
import type { HttpRequest } from "../../src/http/request.ts";
import { parseRoleArn } from "../../src/rolesanywhere/arn.ts";
import type { SessionCredentials } from "../../src/rolesanywhere/service_call.ts";
import { assumeRoles } from "../../src/sts/assume_role.ts";
import type { RoleChain } from "../../src/sts/role_chain.ts";

const parse = (name: string) => parseRoleArn(`arn:aws:iam::123456789012:role/${name}`, "flag");

const CHAIN: RoleChain = {
  roles: [parse("Middle"), parse("Last")],
  durationSeconds: 3600,
  endpoint: new URL("https://sts.us-east-1.amazonaws.com"),
  region: "us-east-1",
};
const FIRST: SessionCredentials = {
  accessKeyId: "ASIAFIRST",
  secretAccessKey: "the-first-secret",
  sessionToken: "the-first-token",
  expiration: new Date("2026-01-02T04:04:05Z"),
};

function sessionResponse(name: string): HttpResponse {
  const text = "<AssumeRoleResponse><AssumeRoleResult><Credentials>" +
    `<AccessKeyId>ASIA${name}</AccessKeyId><SecretAccessKey>s-${name}</SecretAccessKey>` +
    `<SessionToken>t-${name}</SessionToken><Expiration>2026-01-02T04:04:05Z</Expiration>` +
    "</Credentials></AssumeRoleResult></AssumeRoleResponse>";
  return { status: 200, headers: new Map(), body: new TextEncoder().encode(text) };
}

function errorResponse(status: number, code: string, headers: Record<string, string> = {}) {
  const text = `<ErrorResponse><Error><Code>${code}</Code><Message>Signature expired: now` +
    "</Message></Error></ErrorResponse>";
  return {
    status,
    headers: new Map(Object.entries(headers)),
    body: new TextEncoder().encode(text),
  };
}

/** Assumes the roles with fake dependencies, whose clock moves by responses and delays only. */
function simulate(
  responses: readonly HttpResponse[],
  { first = FIRST, elapsed = 0, took = 0 } = {},
) {
  const started = Date.parse("2026-01-02T03:04:05Z");
  let clock = elapsed;
  const sent: { request: HttpRequest; timeout: number }[] = [];
  const result = () =>
    assumeRoles(CHAIN, first, { defaultSessionName: "00ab", deadline: 30_000 }, {
      send: (request, timeout) => {
        sent.push({ request, timeout });
        clock += took;
        const response = responses[Math.min(sent.length, responses.length) - 1];
        assert(response);
        return Promise.resolve(response);
      },
      now: () => new Date(started + clock),
      monotonic: () => clock,
      sleep: (milliseconds) => {
        clock += milliseconds;
        return Promise.resolve();
      },
      random: () => 0.5,
      debug: () => {},
    });
  return { sent, result, elapsed: () => clock };
}

Deno.test("assumeRoles() signs each call with the session of the one before", async () => {
  const { sent, result } = simulate([sessionResponse("Middle"), sessionResponse("Last")]);
  assertEquals(await result(), {
    accessKeyId: "ASIALast",
    secretAccessKey: "s-Last",
    sessionToken: "t-Last",
    expiration: new Date("2026-01-02T04:04:05Z"),
  });
  const headers = (name: string) => sent.map(({ request }) => request.headers.get(name));
  assertEquals(headers("x-amz-security-token"), ["the-first-token", "t-Middle"]);
  assertEquals(
    headers("authorization").map((text) => /Credential=([^,]+)/.exec(text ?? "")?.[1]),
    ["ASIAFIRST", "ASIAMiddle"].map((key) => `${key}/20260102/us-east-1/sts/aws4_request`),
  );
  assertEquals(
    sent.map(({ request }) => new TextDecoder().decode(request.body)),
    [["900", "Middle"], ["3600", "Last"]].map(([seconds, name]) =>
      `Action=AssumeRole&DurationSeconds=${seconds}&` +
      `RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2F${name}&RoleSessionName=00ab&` +
      "Version=2011-06-15"
    ),
  );
});

Deno.test("assumeRoles() signs a retry again", async () => {
  const { sent, result } = simulate([
    errorResponse(503, "ServiceUnavailable", { "retry-after": "7" }),
    sessionResponse("Middle"),
    sessionResponse("Last"),
  ]);
  await result();
  assertEquals(sent.map(({ request }) => request.headers.get("x-amz-date")), [
    "20260102T030405Z",
    "20260102T030412Z",
    "20260102T030412Z",
  ]);
});

Deno.test("assumeRoles() adds the clock's difference to the refusal of a signature", async () => {
  const date = new Date("2026-01-02T02:04:05Z").toUTCString();
  const { result } = simulate([errorResponse(403, "SignatureDoesNotMatch", { date })]);
  const error = await assertRejects(result, HelperError);
  assertEquals(error.code, "service-refused");
  assertStringIncludes(
    error.message,
    "role/Middle: SignatureDoesNotMatch: Signature expired: now;",
  );
  assertStringIncludes(error.message, "clock is 3599 s ahead of the service's; set it");
});

Deno.test("assumeRoles() shares the time of a call, and leaves each hop at least 5 s", async () => {
  const responses = [sessionResponse("Middle"), sessionResponse("Last")];
  const early = simulate(responses, { elapsed: 10_000, took: 12_000 });
  await early.result();
  assertEquals(early.sent.map(({ timeout }) => timeout), [15_000, 8_000]);
  const late = simulate(responses, { elapsed: 29_000, took: 4_000 });
  await late.result();
  assertEquals(late.sent.map(({ timeout }) => timeout), [5_000, 5_000]);
  const throttled = simulate([errorResponse(400, "Throttling")], { elapsed: 29_000, took: 2_000 });
  await assertRejects(throttled.result, HelperError);
  assertEquals(throttled.sent.length < 5, true);
  assertEquals(throttled.elapsed() < 29_000 + 5_000 + 2_000, true);
});

for (const token of ["a\nb", "a\r\nx-injected: 1", "tok€n", "a b", ""]) {
  Deno.test(`assumeRoles() refuses a first session with the token ${JSON.stringify(token)}`, async () => {
    const { sent, result } = simulate([], { first: { ...FIRST, sessionToken: token } });
    const error = await assertRejects(result, HelperError);
    assertEquals([error.code, sent.length], ["service-answer", 0]);
    assertEquals(token !== "" && error.message.includes(token), false);
  });
}
