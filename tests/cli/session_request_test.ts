import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";

import { FlagValues } from "../../src/cli/flags/flag_values.ts";
import type { FlagName } from "../../src/cli/flags/flags.ts";
import { createSessionDeps } from "../../src/cli/session_deps.ts";
import { hostSource, readSessionRequest } from "../../src/cli/session_request.ts";
import { HelperError } from "../../src/errors.ts";
import { formatPem } from "../../src/x509/pem.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { selfSigned } from "../x509/test_certificates.ts";
import { FakeSystem } from "./fake_system.ts";

const ARNS = {
  "role-arn": "arn:aws:iam::123456789012:role/r",
  "profile-arn": "arn:aws:rolesanywhere:eu-west-1:123456789012:profile/p",
  "trust-anchor-arn": "arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/t",
};

type Given = Partial<Record<FlagName, string | boolean>>;

const valuesOf = (given: Given = {}, variables: Record<string, string> = {}) =>
  new FlagValues(
    "credential-process",
    new Map(Object.entries({ certificate: "c", ...ARNS, ...given }) as [FlagName, string][]),
    (name) => variables[name],
  );

const refusal = (action: () => unknown) => {
  const error = assertThrows(action, HelperError);
  assertEquals(error.code, "usage");
  return error.message;
};

Deno.test("readSessionRequest() takes region and endpoint from the trust anchor", () => {
  const request = readSessionRequest(valuesOf());
  assertEquals(request.region, "eu-west-1");
  assertEquals(request.endpoint.href, "https://rolesanywhere.eu-west-1.amazonaws.com/");
  assertEquals([request.durationSeconds, request.roleSessionName], [3600, undefined]);
});

Deno.test("readSessionRequest() does not consult AWS_REGION", () => {
  const variables = { AWS_REGION: "us-east-1", AWS_DEFAULT_REGION: "us-east-1" };
  assertEquals(readSessionRequest(valuesOf({}, variables)).region, "eu-west-1");
});

Deno.test("readSessionRequest() signs for --region and sends to --endpoint when they are given", () => {
  const request = readSessionRequest(valuesOf({
    "region": "us-east-2",
    "endpoint": "https://example.com/x",
    "session-duration": "900",
    "role-session-name": "a.b@c",
  }));
  assertEquals([request.region, request.endpoint.href], ["us-east-2", "https://example.com/x"]);
  assertEquals([request.durationSeconds, request.roleSessionName], [900, "a.b@c"]);
});

Deno.test("readSessionRequest() follows the FIPS and dual-stack switches and variables", () => {
  const host = (given: Given, variables = {}) =>
    readSessionRequest(valuesOf(given, variables)).endpoint.host;
  assertEquals(
    host({ "use-fips-endpoint": true }),
    "rolesanywhere-fips.eu-west-1.amazonaws.com",
  );
  assertEquals(
    host({}, { AWS_USE_DUALSTACK_ENDPOINT: "true", AWS_USE_FIPS_ENDPOINT: "false" }),
    "rolesanywhere.eu-west-1.api.aws",
  );
});

for (const name of ["ab", "a".repeat(64), "A0_+=,.@-"]) {
  Deno.test(`readSessionRequest() takes the session name ${name}`, () => {
    assertEquals(readSessionRequest(valuesOf({ "role-session-name": name })).roleSessionName, name);
  });
}

for (const name of ["a", "a".repeat(65), "a b", "a/b", "ü!", "ab\n"]) {
  Deno.test(`readSessionRequest() throws usage when the session name is ${JSON.stringify(name)}`, () => {
    const message = refusal(() => readSessionRequest(valuesOf({ "role-session-name": name })));
    assertStringIncludes(message, "--role-session-name");
  });
}

const ENDPOINT = new URL("https://example.com");

/** Restores the variables of this process that `createSessionDeps` reads. */
async function effectsOf(given: Given, variables: Record<string, string> = {}) {
  const before = Deno.env.toObject();
  const system = new FakeSystem({ variables });
  try {
    await createSessionDeps(valuesOf(given, variables), ENDPOINT, system);
    return system;
  } finally {
    for (const name of Object.keys(Deno.env.toObject())) {
      if (!(name in before)) Deno.env.delete(name);
    }
    for (const [name, value] of Object.entries(before)) Deno.env.set(name, value);
  }
}

Deno.test("createSessionDeps() uses the proxy variables unless --with-proxy is false", async () => {
  const variables = { HTTPS_PROXY: "http://user:secret@proxy:3128" };
  for (const given of [{}, { "with-proxy": true }]) {
    assertEquals(
      (await effectsOf({ "debug": true, ...given }, variables)).logged,
      ["debug: connecting through the proxy proxy:3128 (HTTPS_PROXY)"],
    );
  }
  assertEquals(
    (await effectsOf({ "debug": true, "with-proxy": false }, variables)).logged,
    ["debug: proxy: HTTPS_PROXY is ignored (--with-proxy=false)"],
  );
});

Deno.test("createSessionDeps() warns when the server is not verified", async () => {
  const [warning = "", ...rest] = (await effectsOf({ "no-verify-ssl": true })).logged;
  assertStringIncludes(warning, "--no-verify-ssl");
  assertEquals(rest, []);
});

Deno.test("createSessionDeps() reads a certificate bundle with other text around", async () => {
  using directory = new TemporaryDirectory();
  const certificate = formatPem("CERTIFICATE", await selfSigned());
  const path = directory.write("ca.pem", `# text\r\n${certificate}${certificate}`);
  assertEquals((await effectsOf({ "ca-bundle": path })).logged, []);
  assertEquals((await effectsOf({}, { AWS_CA_BUNDLE: path })).logged, []);
});

Deno.test("createSessionDeps() throws ca-bundle naming the file when it has no certificates", async () => {
  using directory = new TemporaryDirectory();
  const broken: Record<string, string> = {
    "missing.pem": directory.join("missing.pem"),
    "folder": directory.path,
    "empty.pem": directory.write("empty.pem", ""),
    "binary.pem": directory.write("binary.pem", Uint8Array.of(0x30, 0x82, 0xff)),
    "key.pem": directory.write("key.pem", formatPem("PRIVATE KEY", Uint8Array.of(1))),
    "cut.pem": directory.write("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"),
    "no certificate.pem": directory.write("x.pem", formatPem("CERTIFICATE", Uint8Array.of(1))),
  };
  for (const path of Object.values(broken)) {
    const error = await assertRejects(() => effectsOf({ "ca-bundle": path }), HelperError, path);
    assertEquals(error.code, "ca-bundle");
  }
});

Deno.test("hostSource() names the setting that the host was read from", () => {
  const { "trust-anchor-arn": trustAnchor, ...others } = ARNS;
  const variable = "AWS_SIGNING_HELPER_TRUST_ANCHOR_ARN";
  const fromVariable = new FlagValues(
    "credential-process",
    new Map(Object.entries({ certificate: "c", ...others }) as [FlagName, string][]),
    (name) => name === variable ? trustAnchor : undefined,
  );
  const serve = new FlagValues(
    "serve",
    new Map([["certificate", "c"], ["roles", "roles.json"]]),
    () => undefined,
  );
  const cases: [FlagValues, string, string][] = [
    [valuesOf(), "the region in --trust-anchor-arn", "the region in --trust-anchor-arn"],
    [fromVariable, `the region in ${variable}`, `the region in ${variable}`],
    [serve, "the region in --roles", "the region in --roles"],
    [valuesOf({ region: "us-east-2" }), "--region", "--region"],
    [valuesOf({ endpoint: "https://a.example" }), "--endpoint", "the region in --trust-anchor-arn"],
  ];
  for (const [values, endpoint, sts] of cases) {
    assertEquals([hostSource(values, "endpoint"), hostSource(values, "sts-endpoint")], [
      endpoint,
      sts,
    ]);
  }
});
