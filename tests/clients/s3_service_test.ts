import { assertEquals, assertThrows } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { PYTHON } from "../support/tools.ts";
import { S3Service } from "./s3_service.ts";
import { SignatureRefusal, verifySignature } from "./signature_version_4.ts";

const ISSUED = {
  accessKeyId: "ASIADEMODEMODEMODEMO",
  secretAccessKey: "a/secret+of/the+test",
  sessionToken: "a token/of+the=test",
  expiration: "2999-01-01T00:00:00Z",
};

interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

async function signedByBotocore(
  url: string,
  { method, path, body }: Omit<SignedRequest, "headers">,
  deviation: Partial<typeof ISSUED> = {},
): Promise<SignedRequest> {
  const script = fileURLToPath(new URL("python/sign_request.py", import.meta.url));
  const request = { method, url: url + path, body, region: "eu-west-3", service: "s3" };
  const { code, stdout, stderr } = await runProgram(PYTHON, [script], {
    stdin: JSON.stringify({ ...request, ...ISSUED, ...deviation }),
  });
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return { method, path, headers: JSON.parse(stdout), body };
}

async function send(url: string, { method, path, headers, body }: SignedRequest): Promise<string> {
  const response = await fetch(url + path, {
    method,
    headers,
    ...method === "GET" ? {} : { body },
  });
  const text = await response.text();
  return `${response.status} ${/<Code>([^<]*)/.exec(text)?.[1] ?? text}`;
}

const KEY = `/${S3Service.BUCKET}/a key%2Bwith signs`.replaceAll(" ", "%20");
const PUT = { method: "PUT", path: KEY, body: "the body" };

testWith(
  ["python-client"],
  "S3Service stores an object for requests signed with known credentials",
  async () => {
    await using s3 = new S3Service(() => [ISSUED]);
    assertEquals(await send(s3.url, await signedByBotocore(s3.url, PUT)), "200 ");
    const get = { method: "GET", path: KEY, body: "" };
    assertEquals(await send(s3.url, await signedByBotocore(s3.url, get)), "200 the body");
    assertEquals(s3.calls.length, 2);
  },
);

testWith(
  ["python-client"],
  "S3Service refuses changed requests, and signatures with unknown credentials",
  async (t) => {
    await using s3 = new S3Service(() => [ISSUED]);
    const signed = await signedByBotocore(s3.url, PUT);
    const withHeader = (name: string, value: string) => ({
      ...signed,
      headers: { ...signed.headers, [name]: value },
    });
    const cases: readonly [string, SignedRequest, string][] = [
      ["path", { ...signed, path: `${KEY}x` }, "403 SignatureDoesNotMatch"],
      ["method", { ...signed, method: "DELETE" }, "403 SignatureDoesNotMatch"],
      ["body", { ...signed, body: "another" }, "403 XAmzContentSHA256Mismatch"],
      [
        "body, not signed any more",
        withHeader("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),
        "403 SignatureDoesNotMatch",
      ],
      ["token", withHeader("X-Amz-Security-Token", "another"), "403 InvalidClientTokenId"],
      [
        "secret",
        await signedByBotocore(s3.url, PUT, { secretAccessKey: "another" }),
        "403 SignatureDoesNotMatch",
      ],
    ];
    for (const [what, request, expected] of cases) {
      await t.step(what, async () => assertEquals(await send(s3.url, request), expected));
    }
    assertEquals(s3.calls.filter((call) => !("refused" in call)), []);
  },
);

/** The example of "Signature calculations for the Authorization header: transferring payload in multiple chunks". */
const CHUNKS = [
  [65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"],
  [1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"],
  [0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"],
] as const;

function verifyExample(letter: string): void {
  const body = CHUNKS.map(([size, signature]) =>
    `${size.toString(16)};chunk-signature=${signature}\r\n${letter.repeat(size)}\r\n`
  ).join("");
  verifySignature({
    method: "PUT",
    url: "/examplebucket/chunkObject.txt",
    headers: [
      ["Host", "s3.amazonaws.com"],
      ["x-amz-date", "20130524T000000Z"],
      ["x-amz-storage-class", "REDUCED_REDUNDANCY"],
      ["x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"],
      ["Content-Encoding", "aws-chunked"],
      ["x-amz-decoded-content-length", "66560"],
      ["Content-Length", "66824"],
      [
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
        "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;" +
        "x-amz-decoded-content-length;x-amz-storage-class," +
        "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
      ],
    ],
    body: new TextEncoder().encode(body),
  }, {
    known: [{
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }],
    service: "s3",
    now: new Date("2013-05-24T00:00:00Z"),
  });
}

Deno.test("verifySignature() accepts AWS's documented example of signed chunks, and no other data", () => {
  verifyExample("a");
  assertThrows(() => verifyExample("b"), SignatureRefusal);
});
