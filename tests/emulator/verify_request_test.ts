import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";

import { assertEquals, assertRejects } from "@std/assert";

import { testWithReference } from "../support/reference.ts";
import { type Certificate, readCertificate, readCertificates } from "./certificate.ts";
import { findTrustAnchor } from "./certificate_path.ts";
import type { RawRequest } from "./raw_request.ts";
import { Refusal, type RefusalReason, REFUSALS } from "./refusals.ts";
import { NOW, QUERY, type SigningOptions, signRequest, withHeader } from "./request_signer.ts";
import { makeTestAuthority } from "./test_authority.ts";
import { type VerificationOptions, verifyRequest } from "./verify_request.ts";

const pki = await makeTestAuthority();
const RULES: VerificationOptions = {
  trustAnchors: readCertificates(pki.root.certificatePem + pki.expiredRoot.certificatePem),
  region: "us-east-1",
  time: NOW,
};
const MINUTE = 60_000;
const later = (milliseconds: number) => new Date(NOW.getTime() + milliseconds);
const pem = (...files: { certificatePem: string }[]) => files.map((file) => file.certificatePem);
const query = (change: Record<string, string>) =>
  Object.entries({ ...Object.fromEntries(QUERY), ...change });
const header = (request: RawRequest, name: string) =>
  request.headers.find(([other]) => other.toLowerCase() === name)?.[1] ?? "";
const changeAuthorization = (request: RawRequest, from: RegExp | string, to: string) =>
  withHeader(request, "authorization", header(request, "authorization").replace(from, to));

const GOOD: [string, keyof typeof pki, SigningOptions][] = [
  ["a P-256 key", "client", {}],
  ["a P-384 key", "ec384", {}],
  ["a P-521 key", "ec521", {}],
  ["an RSA key of 1024 bits", "rsa1024", {}],
  ["an RSA key of 2048 bits", "rsa", {}],
  ["an ML-DSA-44 key", "mldsa44", {}],
  ["an ML-DSA-65 key", "mldsa65", {}],
  ["an ML-DSA-87 key", "mldsa87", {}],
  ["a serial number with a leading zero digit", "smallSerial", {}],
  ["a serial number whose highest bit is set", "highSerial", {}],
  ["no key usage extension", "noKeyUsage", {}],
  ["a chain of intermediates", "ofLower", { chain: pem(pki.lower, pki.upper) }],
  ["a chain out of order", "ofLower", { chain: pem(pki.upper, pki.lower) }],
  ["a chain that holds more than is needed", "client", { chain: pem(pki.lower, pki.root) }],
  ["a clock 5 minutes slow", "client", { time: later(-5 * MINUTE) }],
  ["a clock 5 minutes fast", "client", { time: later(5 * MINUTE) }],
  ["one more header that is signed", "client", { headers: { "x-amz-other": " a b " } }],
  ["a role session name", "client", {
    body: '{"durationSeconds":900,"roleSessionName":"a_+=,.@-"}',
  }],
  ["the longest duration", "client", { body: '{"durationSeconds":43200}' }],
  ["a role ARN that needs escapes", "client", {
    query: query({ roleArn: "arn:aws:iam::123456789012:role/a!'()*~/b+c=d,e@f" }),
  }],
];

for (const [what, name, options] of GOOD) {
  Deno.test(`verifyRequest() accepts a request with ${what}`, async () => {
    const request = await signRequest(pki[name], options);
    const verified = await verifyRequest(request, RULES);
    assertEquals(
      verified.durationSeconds,
      JSON.parse(options.body ?? '{"durationSeconds":3600}').durationSeconds,
    );
    assertEquals(verified.profileArn, Object.fromEntries(QUERY)["profileArn"]);
  });
}

Deno.test("verifyRequest() accepts the query in another order than the canonical one", async () => {
  const request = await signRequest(pki.client);
  const [path, parameters = ""] = request.url.split("?");
  const url = `${path}?${parameters.split("&").reverse().join("&").replaceAll("%3A", ":")}`;
  const { roleArn } = await verifyRequest({ ...request, url }, RULES);
  assertEquals(roleArn, "arn:aws:iam::123456789012:role/path/tester");
});

Deno.test("verifyRequest() accepts blanks and any letter case in headers", async () => {
  const request = await signRequest(pki.client, { headers: { "x-amz-other": "a b" } });
  const spaced = withHeader(request, "X-AMZ-Other", "  a   b ");
  await verifyRequest(spaced, RULES);
});

Deno.test("verifyRequest() requires the endpoint's own path if it has one", async () => {
  const request = await signRequest(pki.client, { path: "/prefix/sessions" });
  await verifyRequest(request, { ...RULES, pathPrefix: "/prefix" });
  const refusal = await assertRejects(() => verifyRequest(request, RULES), Refusal);
  assertEquals(refusal.reason, "unknown-path");
});

Deno.test("verifyRequest() encodes the path once more if the sent path contains escapes", async () => {
  const request = await signRequest(pki.client, { path: "/a%2520b/sessions" });
  const url = request.url.replace("/a%2520b/", "/a%20b/");
  await verifyRequest({ ...request, url }, { ...RULES, pathPrefix: "/a%20b" });
});

type Bad = [
  what: string,
  reason: RefusalReason,
  name: keyof typeof pki,
  options: SigningOptions,
  tamper?: (request: RawRequest) => RawRequest,
];

const tamperHeader = (name: string, value: string | null) => (request: RawRequest) =>
  withHeader(request, name, value);
const tamperAuthorization = (from: RegExp | string, to: string) => (request: RawRequest) =>
  changeAuthorization(request, from, to);
const repeatHeader = (name: string) => (request: RawRequest) => ({
  ...request,
  headers: [...request.headers, [name, header(request, name)] as const],
});
const body = (value: unknown) => ({ body: JSON.stringify(value) });

const BAD: Bad[] = [
  ["another path", "unknown-path", "client", { path: "/session" }],
  ["a trailing slash", "unknown-path", "client", { path: "/sessions/" }],
  ["another method", "unknown-method", "client", { method: "PUT" }],

  ["no Authorization", "authorization-missing", "client", {}, tamperHeader("authorization", null)],
  [
    "Basic credentials",
    "authorization-malformed",
    "client",
    {},
    tamperHeader("authorization", "Basic YTpi"),
  ],
  ["an upper-case signature", "authorization-malformed", "rsa", {}, (request) => {
    const text = header(request, "authorization");
    return withHeader(
      request,
      "authorization",
      text.replace(/[0-9a-f]+$/, (hex) => hex.toUpperCase()),
    );
  }],
  ["two Authorization headers", "header-repeated", "client", {}, repeatHeader("authorization")],
  ["two X-Amz-X509 headers", "header-repeated", "client", {}, repeatHeader("x-amz-x509")],
  ["two X-Amz-Date headers", "header-repeated", "client", {}, repeatHeader("x-amz-date")],
  ["the algorithm of SigV4", "algorithm-unknown", "client", { algorithm: "AWS4-HMAC-SHA256" }],
  ["the RSA algorithm for an EC key", "algorithm-mismatch", "client", {
    algorithm: "AWS4-X509-RSA-SHA256",
  }],
  ["the ECDSA algorithm for an RSA key", "algorithm-mismatch", "rsa", {
    algorithm: "AWS4-X509-ECDSA-SHA256",
  }],
  ["the RSA algorithm for an ML-DSA key", "algorithm-mismatch", "mldsa44", {
    algorithm: "AWS4-X509-RSA-SHA256",
  }],
  [
    "another service in the scope",
    "scope-malformed",
    "client",
    {},
    tamperAuthorization("/rolesanywhere/", "/sts/"),
  ],
  ["a serial number in hex", "scope-malformed", "client", { serial: "0ABC" }],
  ["a serial number with a leading zero", "scope-malformed", "client", { serial: "012" }],
  ["another serial number", "serial-mismatch", "client", { serial: "1234" }],
  ["another region in the scope", "scope-region-mismatch", "client", { region: "us-west-2" }],
  ["another date in the scope", "scope-date-mismatch", "client", { scopeDate: "20200101" }],
  ["no X-Amz-Date", "date-malformed", "client", {}, tamperHeader("x-amz-date", null)],
  [
    "an X-Amz-Date that is not a date",
    "date-malformed",
    "client",
    {},
    tamperHeader("x-amz-date", "20241399T000000Z"),
  ],
  ["a clock more than 5 minutes slow", "date-stale", "client", { time: later(-5 * MINUTE - 1000) }],
  ["a clock more than 5 minutes fast", "date-stale", "client", { time: later(5 * MINUTE + 1000) }],

  ["unsorted signed headers", "signed-headers-malformed", "client", {
    signedHeaders: (names) => names.toReversed(),
  }],
  ["a signed header named twice", "signed-headers-malformed", "client", {
    signedHeaders: ([first = "", ...rest]) => [first, first, ...rest],
  }],
  [
    "signed headers in capitals",
    "signed-headers-malformed",
    "client",
    {},
    tamperAuthorization("=content-type", "=Content-Type"),
  ],
  ...["content-type", "host", "x-amz-date", "x-amz-x509", "x-amz-x509-chain"].map((left): Bad => [
    `${left} not signed`,
    "signed-headers-incomplete",
    "ofLower",
    {
      chain: pem(pki.lower, pki.upper),
      signedHeaders: (names) => names.filter((name) => name !== left),
    },
  ]),
  ["a signed header that is not there", "signed-header-absent", "client", {
    headers: { "x-amz-other": "a" },
  }, tamperHeader("x-amz-other", null)],

  ["a changed signature", "signature-mismatch", "rsa", {}, (request) => {
    const text = header(request, "authorization");
    const changed = text.replace(/..$/, (octet) => octet === "00" ? "01" : "00");
    return withHeader(request, "authorization", changed);
  }],
  [
    "a signature of zeros",
    "signature-mismatch",
    "client",
    {},
    tamperAuthorization(/Signature=.*$/, "Signature=00"),
  ],
  [
    "a changed header",
    "signature-mismatch",
    "client",
    { headers: { "x-amz-other": "a" } },
    tamperHeader("x-amz-other", "b"),
  ],
  ["a changed Host", "signature-mismatch", "client", {}, tamperHeader("host", "localhost:8444")],
  ["a Host without its port", "signature-mismatch", "rsa", {}, tamperHeader("host", "localhost")],
  [
    "a changed date",
    "signature-mismatch",
    "mldsa65",
    { time: later(1000) },
    tamperHeader("x-amz-date", NOW.toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "")),
  ],
  [
    "a changed query",
    "signature-mismatch",
    "client",
    {},
    (request) => ({ ...request, url: request.url.replace("tester", "tamper") }),
  ],
  [
    "a changed body",
    "signature-mismatch",
    "ec521",
    {},
    (request) => ({ ...request, body: new TextEncoder().encode('{"durationSeconds":3601}') }),
  ],
  [
    "a broken escape",
    "parameter-malformed",
    "client",
    {},
    (request) => ({ ...request, url: `${request.url}%` }),
  ],
  [
    "the certificate of another key",
    "signature-mismatch",
    "client",
    { serial: "2748" },
    tamperHeader("x-amz-x509", base64(pki.smallSerial.certificatePem)),
  ],

  ["no X-Amz-X509", "certificate-malformed", "client", {}, tamperHeader("x-amz-x509", null)],
  [
    "PEM in X-Amz-X509",
    "certificate-malformed",
    "client",
    {},
    tamperHeader("x-amz-x509", pki.client.certificatePem.replaceAll("\n", " ")),
  ],
  [
    "a cut-off certificate",
    "certificate-malformed",
    "client",
    {},
    tamperHeader("x-amz-x509", base64(pki.client.certificatePem).slice(0, 400)),
  ],
  [
    "two certificates in X-Amz-X509",
    "certificate-malformed",
    "client",
    {},
    tamperHeader(
      "x-amz-x509",
      `${base64(pki.client.certificatePem)},${base64(pki.root.certificatePem)}`,
    ),
  ],
  ["an empty chain", "chain-malformed", "client", { chain: [] }],
  [
    "a chain separated by blanks",
    "chain-malformed",
    "ofLower",
    { chain: pem(pki.lower, pki.upper) },
    (request) =>
      withHeader(
        request,
        "x-amz-x509-chain",
        header(request, "x-amz-x509-chain").replace(",", ", "),
      ),
  ],
  ["6 certificates in the chain", "chain-too-long", "client", {
    chain: Array(6).fill(pki.upper.certificatePem),
  }],
  ["the end-entity certificate in the chain", "chain-holds-end-entity", "ofLower", {
    chain: pem(pki.ofLower, pki.lower, pki.upper),
  }],

  ["a v1 certificate", "end-entity-version", "versionOne", {}],
  ["a CA certificate", "end-entity-is-authority", "upper", {}],
  ["a trust anchor as end entity", "end-entity-is-authority", "root", {}],
  ["a key usage without digital signature", "end-entity-key-usage", "wrongKeyUsage", {}],
  ["an expired certificate", "certificate-expired", "expired", {}],
  ["a certificate not yet valid", "certificate-not-yet-valid", "notYetValid", {}],
  ["an expired trust anchor", "certificate-expired", "ofExpiredRoot", {}],
  ["a certificate of a stranger with the anchor's name", "untrusted", "ofStranger", {}],
  ["a certificate signed with SHA-1", "untrusted", "sha1", {}],
  ["no chain where one is needed", "untrusted", "ofLower", {}],
  ["a chain with a link missing", "untrusted", "ofLower", { chain: pem(pki.lower) }],
  ["an intermediate with the issuer's key and another name", "untrusted", "ofUpper", {
    chain: pem(pki.renamedUpper),
  }],
  ["an expired intermediate", "untrusted", "ofExpiredMiddle", { chain: pem(pki.expiredMiddle) }],
  ["an intermediate that is not a CA", "untrusted", "ofNotAnAuthority", {
    chain: pem(pki.notAnAuthority),
  }],
  ["an intermediate that may not sign certificates", "untrusted", "ofNoSigning", {
    chain: pem(pki.noSigning),
  }],
  ["a path longer than an intermediate allows", "untrusted", "ofBelowLimited", {
    chain: pem(pki.belowLimited, pki.limited),
  }],

  ...["profileArn", "roleArn", "trustAnchorArn"].flatMap((name): Bad[] => [
    [`no ${name}`, "parameter-missing", "client", {
      query: QUERY.filter(([other]) => other !== name),
    }],
    [`a ${name} that is not an ARN`, "parameter-malformed", "client", {
      query: query({ [name]: "tester" }),
    }],
    [`two of ${name}`, "parameter-repeated", "client", {
      query: [...QUERY, ...QUERY.filter(([other]) => other === name)],
    }],
  ]),
  ["a role's ARN for the profile", "parameter-malformed", "client", {
    query: query({ profileArn: "arn:aws:iam::123456789012:role/tester" }),
  }],
  ["an unknown parameter", "parameter-unknown", "client", { query: query({ policy: "x" }) }],
  ["a profile of another region", "parameter-region-mismatch", "client", {
    query: query({ profileArn: "arn:aws:rolesanywhere:eu-west-1:123456789012:profile/6f49" }),
  }],
  ["a trust anchor of another region", "parameter-region-mismatch", "client", {
    query: query({
      trustAnchorArn: "arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/6f49",
    }),
  }],

  ["another content type", "content-type", "client", { contentType: "text/plain;charset=UTF-8" }],
  ["a body of more than 64 KiB", "body-too-large", "client", {
    body: `{"durationSeconds":3600}${" ".repeat(65536)}`,
  }],
  ["an empty body", "body-malformed", "client", { body: "" }],
  ["an array for body", "body-malformed", "client", body([])],
  [
    "an unknown field",
    "body-field-unknown",
    "client",
    body({ durationSeconds: 3600, sessionName: "ab" }),
  ],
  ["no duration", "duration-invalid", "client", body({})],
  ["a duration of 899 seconds", "duration-invalid", "client", body({ durationSeconds: 899 })],
  ["a duration of 43201 seconds", "duration-invalid", "client", body({ durationSeconds: 43201 })],
  ["a duration with a fraction", "duration-invalid", "client", body({ durationSeconds: 900.5 })],
  ["a duration in quotes", "duration-invalid", "client", body({ durationSeconds: "3600" })],
  [
    "a session name of one letter",
    "session-name-invalid",
    "client",
    body({ durationSeconds: 3600, roleSessionName: "a" }),
  ],
  [
    "a session name of 65 letters",
    "session-name-invalid",
    "client",
    body({ durationSeconds: 3600, roleSessionName: "a".repeat(65) }),
  ],
  [
    "a session name with a blank",
    "session-name-invalid",
    "client",
    body({ durationSeconds: 3600, roleSessionName: "a b" }),
  ],
];

function base64(text: string): string {
  return text.replaceAll(/-----[^-]+-----|\s/g, "");
}

for (const [what, reason, name, options, tamper] of BAD) {
  Deno.test(`verifyRequest() refuses with ${reason} for ${what}`, async () => {
    const signed = await signRequest(pki[name], options);
    const request = tamper?.(signed) ?? signed;
    const refusal = await assertRejects(() => verifyRequest(request, RULES), Refusal);
    assertEquals(refusal.reason, reason);
  });
}

Deno.test("verifyRequest() refuses in order when any octet of the certificate is changed", async () => {
  const signed = await signRequest(pki.client);
  const der = Buffer.from(base64(pki.client.certificatePem), "base64");
  for (const [index, octet] of der.entries()) {
    for (const changed of [octet ^ 1, octet ^ 0x80, 0, 0xff]) {
      if (changed === octet) continue;
      der[index] = changed;
      const request = withHeader(signed, "x-amz-x509", der.toString("base64"));
      // The changed header is signed, too: a signature that still fits would be a hole.
      await assertRejects(() => verifyRequest(request, RULES), Refusal);
    }
    der[index] = octet;
  }
});

Deno.test("findTrustAnchor() refuses in order when any octet of the certificate is changed", async () => {
  const der = Buffer.from(base64(pki.client.certificatePem), "base64");
  for (const [index, octet] of der.entries()) {
    der[index] = octet ^ 1;
    let certificate: Certificate | undefined;
    try {
      certificate = readCertificate(Uint8Array.from(der));
    } catch {
      // Not a certificate any more: nothing left to trust.
    }
    if (certificate !== undefined) {
      const { trustAnchors, time } = RULES;
      const changed = certificate;
      await assertRejects(() => findTrustAnchor(changed, [], trustAnchors, time), Refusal);
    }
    der[index] = octet;
  }
});

Deno.test("every refusal in the table is met by a test", () => {
  const met = new Set(BAD.map(([, reason]) => reason));
  assertEquals(Object.keys(REFUSALS).filter((reason) => !met.has(reason as RefusalReason)), []);
});

for (
  const [index, [name, root]] of [["RSA", "root-ca.crt"], ["ECDSA", "root-ca-ecc.crt"]].entries()
) {
  testWithReference(
    "createsession",
    [],
    `verifyRequest() accepts another program's request when it is signed with ${name}`,
    async (folder) => {
      const text = (file: string) => Deno.readTextFileSync(folder.join(file));
      const vector = JSON.parse(text("vectors.json"))[index];
      const certificate = readCertificates(text(vector.certificateFile))[0];
      const authorization =
        `${vector.algorithm} Credential=${certificate?.serialNumber}/${vector.scope}, SignedHeaders=${vector.signedHeaders}, Signature=${vector.signature}`;
      const request: RawRequest = {
        method: vector.method,
        url: `${vector.path}?${vector.query}`,
        headers: [...Object.entries<string>(vector.headers), ["authorization", authorization]],
        body: new TextEncoder().encode(vector.body),
      };
      const parts =
        /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(vector.headers["x-amz-date"]) ?? [];
      const [, year, month, day, hours, minutes, seconds] = parts;
      const rules = {
        trustAnchors: readCertificates(text(root ?? "")),
        region: vector.scope.split("/")[1],
        time: new Date(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`),
      };
      const verified = await verifyRequest(request, rules);
      const { subject } = new X509Certificate(text(vector.certificateFile));
      assertEquals(subject.split("\n").at(-1), `CN=${verified.endEntity.commonName}`);
      assertEquals(verified.durationSeconds, 3600);
      const other = vector.signature.endsWith("00") ? "01" : "00";
      const changed = changeAuthorization(request, /..$/, other);
      const refusal = await assertRejects(() => verifyRequest(changed, rules), Refusal);
      assertEquals(refusal.reason, "signature-mismatch");
    },
  );
}
