import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/binary.ts";
import { PYTHON } from "../support/tools.ts";
import { SignatureRefusal, verifySignature } from "./signature_version_4.ts";
import { StsService } from "./sts_service.ts";

const ISSUED = {
  accessKeyId: "ASIADEMODEMODEMODEMO",
  secretAccessKey: "a/secret+of/the+test",
  sessionToken: "a token/of+the=test",
  expiration: "2999-01-01T00:00:00Z",
};
const BODY = "Action=GetCallerIdentity&Version=2011-06-15";

interface SignedRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Settings of botocore for signatures that the service refuses. */
type Deviation = Partial<typeof ISSUED & { service: string; body: string }>;

async function signedByBotocore(url: string, deviation: Deviation = {}): Promise<SignedRequest> {
  const request = { method: "POST", url: `${url}/`, body: BODY, region: "eu-west-3" };
  const script = fileURLToPath(new URL("python/sign_request.py", import.meta.url));
  const { code, stdout, stderr } = await runProgram(PYTHON, [script], {
    stdin: JSON.stringify({ ...request, service: "sts", ...ISSUED, ...deviation }),
  });
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return { path: "/", headers: JSON.parse(stdout), body: deviation.body ?? BODY };
}

async function send(url: string, { path, headers, body }: SignedRequest): Promise<string> {
  const answer = await fetch(url + path, { method: "POST", headers, body });
  const text = await answer.text();
  return `${answer.status} ${/<(?:Code|UserId)>([^<]*)/.exec(text)?.[1]}`;
}

function changedHeader(
  { headers, ...rest }: SignedRequest,
  name: string,
  change: (value: string) => string,
): SignedRequest {
  return { ...rest, headers: { ...headers, [name]: change(headers[name] ?? "") } };
}

Deno.test("StsService accepts requests that botocore signed with known credentials", async () => {
  await using sts = new StsService(() => [ISSUED]);
  const answer = await send(sts.url, await signedByBotocore(sts.url));
  assertEquals(answer, `200 ${sts.identity.userId}`);
  assertEquals(sts.calls, [{ accessKeyId: ISSUED.accessKeyId, region: "eu-west-3" }]);
});

// Changes of the request after signing, and their refusals.
const TAMPERED: readonly [string, (request: SignedRequest) => SignedRequest, string][] = [
  ["body", (request) => ({ ...request, body: `${BODY}&A=1` }), "SignatureDoesNotMatch"],
  ["query", (request) => ({ ...request, path: "/?A=1" }), "SignatureDoesNotMatch"],
  ["path", (request) => ({ ...request, path: "/other" }), "SignatureDoesNotMatch"],
  [
    "signature",
    (request) =>
      changedHeader(
        request,
        "Authorization",
        (value) => value.replace(/.$/, (last) => last === "0" ? "1" : "0"),
      ),
    "SignatureDoesNotMatch",
  ],
  [
    "region of the scope",
    (request) =>
      changedHeader(request, "Authorization", (value) => value.replace("eu-west-3", "eu-west-1")),
    "SignatureDoesNotMatch",
  ],
  [
    "session token",
    (request) => changedHeader(request, "X-Amz-Security-Token", (token) => `${token}A`),
    "InvalidClientTokenId",
  ],
  [
    "list of signed headers, the token left out",
    (request) =>
      changedHeader(
        request,
        "Authorization",
        (value) => value.replace(";x-amz-security-token", ""),
      ),
    "SignatureDoesNotMatch",
  ],
  [
    "time of day",
    (request) =>
      changedHeader(
        request,
        "X-Amz-Date",
        (time) => time.replace(/\d\dZ$/, (seconds) => seconds === "00Z" ? "01Z" : "00Z"),
      ),
    "SignatureDoesNotMatch",
  ],
  [
    "Authorization, taken off",
    ({ headers: { Authorization: _not, ...headers }, ...request }) => ({ ...request, headers }),
    "MissingAuthenticationToken",
  ],
];

Deno.test("StsService refuses a request that was changed after it was signed", async (t) => {
  await using sts = new StsService(() => [ISSUED]);
  const signed = await signedByBotocore(sts.url);
  for (const [what, tamper, code] of TAMPERED) {
    await t.step(what, async () => {
      assertEquals(await send(sts.url, tamper(signed)), `403 ${code}`);
    });
  }
});

const WRONGLY_SIGNED: readonly [string, Deviation, string][] = [
  ["an access key that nobody issued", { accessKeyId: "ASIA" }, "InvalidClientTokenId"],
  ["another secret", { secretAccessKey: "another" }, "SignatureDoesNotMatch"],
  ["another session token", { sessionToken: "another" }, "InvalidClientTokenId"],
  ["another service's name", { service: "s3" }, "SignatureDoesNotMatch"],
  ["another action", { body: "Action=GetSessionToken" }, "InvalidAction"],
];

Deno.test("StsService refuses a request that is signed with unknown credentials", async (t) => {
  await using sts = new StsService(() => [ISSUED]);
  for (const [what, deviation, code] of WRONGLY_SIGNED) {
    await t.step(what, async () => {
      const signed = await signedByBotocore(sts.url, deviation);
      assertEquals(await send(sts.url, signed), `403 ${code}`);
    });
  }
});

Deno.test("StsService refuses credentials that have expired", async () => {
  await using sts = new StsService(() => [{ ...ISSUED, expiration: "2020-01-01T00:00:00Z" }]);
  assertEquals(await send(sts.url, await signedByBotocore(sts.url)), "403 ExpiredToken");
});

// The example that "Create a signed AWS API request" is worked through with.
const EXAMPLE = {
  request: {
    method: "GET",
    url: "/?Action=ListUsers&Version=2010-05-08",
    headers: [
      ["Host", "iam.amazonaws.com"],
      ["Content-Type", "application/x-www-form-urlencoded; charset=utf-8"],
      ["X-Amz-Date", "20150830T123600Z"],
      [
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, " +
        "SignedHeaders=content-type;host;x-amz-date, " +
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
      ],
    ],
    body: new Uint8Array(),
  },
  known: [{
    accessKeyId: "AKIDEXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  }],
} as const;

Deno.test("verifySignature() accepts AWS's documented example, within 15 minutes of its time", () => {
  const at = (time: string) =>
    verifySignature(EXAMPLE.request, {
      known: EXAMPLE.known,
      service: "iam",
      now: new Date(`2015-08-30T${time}Z`),
    });
  const expected = { accessKeyId: "AKIDEXAMPLE", region: "us-east-1" };
  assertEquals(at("12:36:00"), expected);
  assertEquals(at("12:51:00"), expected);
  for (const time of ["12:51:01", "12:20:59"]) {
    assertMatch(assertThrows(() => at(time), SignatureRefusal).message, /signature expired/);
  }
});
