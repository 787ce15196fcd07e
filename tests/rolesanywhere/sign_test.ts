import { createHash, verify, X509Certificate } from "node:crypto";

import { assertEquals, assertMatch } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";

import type { HttpRequest } from "../../src/http/request.ts";
import { signRequest } from "../../src/rolesanywhere/sign.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { formatPem } from "../../src/x509/pem.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { issueMldsaCertificate } from "../support/mldsa_certificate.ts";
import { testWithReference } from "../support/reference.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { derOf, selfSigned } from "../x509/test_certificates.ts";
import { identityOf } from "./test_identity.ts";

/** Request that another program signed: a released helper, or botocore with cryptography. */
interface Recorded {
  readonly name: string;
  readonly algorithm: string;
  readonly certificateFile: string;
  readonly privateKeyFile: string;
  readonly path: string;
  readonly query: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signedHeaders: string;
  readonly scope: string;
  readonly signature: string;
  readonly deterministic: boolean;
}

const dateOf = (amzDate: string) =>
  new Date(amzDate.replace(/(....)(..)(..)T(..)(..)(..)Z/, "$1-$2-$3T$4:$5:$6Z"));

const signatureOf = ({ headers }: HttpRequest) =>
  /Signature=([0-9a-f]+)$/.exec(headers.get("authorization") ?? "")?.[1] ?? "";

for (const name of ["RSA", "ECDSA"]) {
  testWithReference(
    "createsession",
    [],
    `signRequest() makes another program's ${name} request again`,
    async (folder) => {
      const text = (file: string) => Deno.readTextFileSync(folder.join(file));
      const recordings: Recorded[] = JSON.parse(text("vectors.json"));
      const recorded = recordings.find((candidate) => candidate.name === name);
      if (!recorded) throw new Error(`no recorded ${name} request`);
      const certificatePem = text(recorded.certificateFile);
      const keyPem = text(recorded.privateKeyFile);
      const identity = identityOf({ certificatePem, keyPem });
      const [date = "", region = ""] = recorded.scope.split("/");
      const signed = await signRequest(
        {
          endpoint: new URL(`http://${recorded.headers["host"]}`),
          path: recorded.path,
          query: new Map(new URLSearchParams(recorded.query)),
          body: new TextEncoder().encode(recorded.body),
        },
        identity,
        region,
        dateOf(recorded.headers["x-amz-date"] ?? ""),
        () => {},
      );

      assertEquals(
        signed.url.href,
        `http://${recorded.headers["host"]}/sessions?${recorded.query}`,
      );
      for (const [header, value] of Object.entries(recorded.headers)) {
        if (header !== "host") assertEquals(signed.headers.get(header), value);
      }
      const serial = BigInt(`0x${new X509Certificate(certificatePem).serialNumber}`);
      const authorization = `${recorded.algorithm} Credential=${serial}/${recorded.scope}, ` +
        `SignedHeaders=${recorded.signedHeaders}, Signature=`;
      assertEquals(
        signed.headers.get("authorization")?.slice(0, authorization.length),
        authorization,
      );
      assertEquals(signed.headers.get("x-amz-date")?.slice(0, 8), date);

      const [{ message = "", digest = "" } = {}] = identity.signed;
      assertEquals([identity.signed.length, digest], [1, "SHA-256"]);
      if (recorded.deterministic) assertEquals(signatureOf(signed), recorded.signature);
      // The same text was signed here: the recorded signature verifies over it.
      const { publicKey } = new X509Certificate(certificatePem);
      for (const signature of [signatureOf(signed), recorded.signature]) {
        const signedText = new TextEncoder().encode(message);
        assertEquals(verify("sha256", signedText, publicKey, decodeHex(signature)), true);
      }
    },
  );
}

const NOW = new Date("2026-01-02T03:04:05.678Z");
const REQUEST = {
  endpoint: new URL("https://example.com:8443/prefix/"),
  path: "/sessions",
  query: new Map([["roleArn", "arn:aws:iam::1:role/a"], ["profileArn", "b c"]]),
  body: new TextEncoder().encode("{}"),
};

Deno.test("signRequest() signs path prefix, port, sorted query and chain as sent", async () => {
  using directory = new TemporaryDirectory();
  const root = await createAuthority(directory, { subject: "/CN=Root" });
  const lower = await issueCertificate(root, { subject: "/CN=Lower", ca: true });
  const leaf = await issueCertificate(lower, { subject: "/CN=Leaf", serial: 2n ** 127n });
  const chain = [lower, root].map(({ certificatePem }) => parseCertificate(derOf(certificatePem)));
  const identity = identityOf({ ...leaf, chain });
  const messages: string[] = [];
  const signed = await signRequest(
    REQUEST,
    identity,
    "us-east-1",
    NOW,
    (text) => messages.push(text),
  );

  assertEquals(
    signed.url.href,
    "https://example.com:8443/prefix/sessions?profileArn=b%20c&roleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa",
  );
  const base64 = (pem: string) => pem.replaceAll(/-----[^-]+-----|\s/g, "");
  const canonical = [
    "POST",
    "/prefix/sessions",
    "profileArn=b%20c&roleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa",
    "content-type:application/json",
    "host:example.com:8443",
    "x-amz-date:20260102T030405Z",
    `x-amz-x509:${base64(leaf.certificatePem)}`,
    `x-amz-x509-chain:${base64(lower.certificatePem)},${base64(root.certificatePem)}`,
    "",
    "content-type;host;x-amz-date;x-amz-x509;x-amz-x509-chain",
    createHash("sha256").update("{}").digest("hex"),
  ].join("\n");
  const toSign = [
    "AWS4-X509-ECDSA-SHA256",
    "20260102T030405Z",
    "20260102/us-east-1/rolesanywhere/aws4_request",
    createHash("sha256").update(canonical).digest("hex"),
  ].join("\n");
  assertEquals(identity.signed, [{ message: toSign, digest: "SHA-256" }]);
  assertEquals(messages, [`canonical request:\n${canonical}`, `string to sign:\n${toSign}`]);
  assertEquals([signed.method, signed.headers.has("host")], ["POST", false]);
  assertMatch(
    signed.headers.get("authorization") ?? "",
    new RegExp(`Credential=${2n ** 127n}/20260102/`),
  );
});

Deno.test("signRequest() signs the string to sign itself when the key is ML-DSA", async () => {
  using directory = new TemporaryDirectory();
  const root = await createAuthority(directory, { subject: "/CN=Root" });
  const leaf = await issueMldsaCertificate(root, { subject: "/CN=Leaf", level: 65 });
  const identity = identityOf({ certificatePem: leaf.certificatePem, signWith: leaf.sign });
  const signed = await signRequest(REQUEST, identity, "us-east-1", NOW, () => {});
  const { serialNumber } = identity.certificate;
  const authorization = signed.headers.get("authorization") ?? "";
  assertEquals(
    authorization.slice(0, authorization.indexOf("Signature=")),
    `AWS4-X509-MLDSA Credential=${serialNumber}/20260102/us-east-1/rolesanywhere/aws4_request, ` +
      "SignedHeaders=content-type;host;x-amz-date;x-amz-x509, ",
  );
  assertEquals(signatureOf(signed).length, 2 * 3309);
  assertMatch(identity.signed[0]?.message ?? "", /^AWS4-X509-MLDSA\n20260102T030405Z\n/);
});

Deno.test("signRequest() omits the default port from the signed host, as sent", async () => {
  const encoded = await selfSigned();
  const identity = identityOf({
    certificatePem: formatPem("CERTIFICATE", encoded),
    signWith: () => Uint8Array.of(0x0a, 0xb0),
  });
  const messages: string[] = [];
  const endpoint = new URL("https://example.com:443");
  const signed = await signRequest(
    { ...REQUEST, endpoint },
    identity,
    "r",
    NOW,
    (text) => messages.push(text),
  );
  assertMatch(messages[0] ?? "", /\nhost:example\.com\n/);
  assertEquals(signed.url.href.startsWith("https://example.com/sessions?"), true);
  assertEquals(signatureOf(signed), encodeHex(Uint8Array.of(0x0a, 0xb0)));
});
