import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { issueCertificate, type KeyType } from "../support/certificates.ts";
import { runBinary } from "../support/binary.ts";
import { issueMldsaCertificate } from "../support/mldsa_certificate.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";

const KEY_TYPES: readonly KeyType[] = [
  "rsa-1024",
  "rsa-2048",
  "rsa-4096",
  "ec-p256",
  "ec-p384",
  "ec-p521",
];

for (const keyType of KEY_TYPES) {
  Deno.test(`credential-process prints the session's credentials with a key of ${keyType}`, async () => {
    await using scenario = await SessionScenario.create({ keyType });
    const { code, stdout, stderr } = await runBinary(["credential-process", ...scenario.flags]);

    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    const [issued] = scenario.emulator.issued;
    assert(issued);
    assertEquals(
      stdout,
      `${
        JSON.stringify({
          Version: 1,
          AccessKeyId: issued.accessKeyId,
          SecretAccessKey: issued.secretAccessKey,
          SessionToken: issued.sessionToken,
          Expiration: issued.expiration,
        })
      }\n`,
    );
    assertEquals(scenario.emulator.requests.length, 1);
  });
}

Deno.test("credential-process sends the flags' values", async () => {
  await using scenario = await SessionScenario.create();
  const { code } = await runBinary([
    "credential-process",
    ...scenario.flags,
    "--session-duration=900",
    "--role-session-name",
    "build@host,42",
  ]);

  assertEquals(code, 0);
  const [request] = scenario.emulator.requests;
  assert(request);
  assertEquals(JSON.parse(new TextDecoder().decode(request.body)), {
    durationSeconds: 900,
    roleSessionName: "build@host,42",
  });
  assertStringIncludes(request.url, `roleArn=${encodeURIComponent(ARNS.role)}`);
});

Deno.test("credential-process reads every flag from its variable, and the flag wins", async () => {
  await using scenario = await SessionScenario.create();
  const env = {
    AWS_SIGNING_HELPER_CERTIFICATE: scenario.identity.certificatePath,
    AWS_SIGNING_HELPER_PRIVATE_KEY: scenario.identity.keyPath,
    AWS_SIGNING_HELPER_ROLE_ARN: ARNS.role,
    AWS_SIGNING_HELPER_PROFILE_ARN: ARNS.profile,
    AWS_SIGNING_HELPER_TRUST_ANCHOR_ARN: ARNS.trustAnchor,
    AWS_SIGNING_HELPER_ENDPOINT: scenario.emulator.url,
    AWS_SIGNING_HELPER_SESSION_DURATION: "1200",
    AWS_CA_BUNDLE: scenario.caBundle,
  };
  assertEquals((await runBinary(["credential-process"], { env })).code, 0);
  const flagged = await runBinary(["credential-process", "--session-duration", "1800"], { env });
  assertEquals(flagged.code, 0);
  const durations = scenario.emulator.requests.map(({ body }) =>
    JSON.parse(new TextDecoder().decode(body)).durationSeconds
  );
  assertEquals(durations, [1200, 1800]);
});

Deno.test("credential-process sends a path prefix of the endpoint and signs it", async () => {
  await using scenario = await SessionScenario.create({}, { pathPrefix: "/roles/anywhere" });
  const { code, stderr } = await runBinary(["credential-process", ...scenario.flags]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertEquals(scenario.emulator.requests[0]?.url.split("?")[0], "/roles/anywhere/sessions");
});

/** Makes a scenario with two authorities between end-entity certificate and trust anchor. */
async function createDeepScenario() {
  const scenario = await SessionScenario.create();
  const upper = await issueCertificate(scenario.trustAnchor, { subject: "/CN=Upper", ca: true });
  const lower = await issueCertificate(upper, { subject: "/CN=Lower", ca: true });
  const identity = await issueCertificate(lower, { subject: "/CN=deep" });
  return { scenario, upper, lower, identity };
}

for (
  const [what, bundle] of [
    ["in order", ["lower", "upper"]],
    ["out of order", ["upper", "lower"]],
    ["with the end-entity certificate in it", ["upper", "identity", "lower"]],
    ["with Windows line endings and text around", ["lower", "upper"]],
  ] as const
) {
  Deno.test(`credential-process sends the chain from --intermediates ${what}`, async () => {
    const made = await createDeepScenario();
    await using scenario = made.scenario;
    const pem = bundle.map((name) => `subject=${name}\n${made[name].certificatePem}\n`).join("");
    const text = what.startsWith("with Windows") ? pem.replaceAll("\n", "\r\n") : pem;
    const { code, stderr } = await runBinary([
      "credential-process",
      ...scenario.serviceFlags,
      "--certificate",
      made.identity.certificatePath,
      "--private-key",
      made.identity.keyPath,
      "--intermediates",
      scenario.directory.write("bundle.pem", text),
    ]);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    const chain = scenario.emulator.requests[0]?.headers
      .filter(([name]) => name.toLowerCase() === "x-amz-x509-chain").map(([, value]) => value);
    const expected = [made.lower, made.upper].map(({ certificatePem }) =>
      certificatePem.replace(/-----[^-]+-----|\s/g, "")
    );
    assertEquals(chain, [expected.join(",")]);
  });
}

Deno.test("credential-process finds key, certificate and chain in one file", async () => {
  const { scenario: made, upper, lower, identity } = await createDeepScenario();
  await using scenario = made;
  const file = scenario.directory.write(
    "all in one.pem",
    identity.keyPem + upper.certificatePem + identity.certificatePem + lower.certificatePem,
  );
  const { code, stderr } = await runBinary([
    "credential-process",
    ...scenario.serviceFlags,
    "--certificate",
    file,
  ]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
});

Deno.test("credential-process --debug logs the signed request without secrets", async () => {
  await using scenario = await SessionScenario.create();
  const { code, stderr } = await runBinary(["credential-process", ...scenario.flags, "--debug"]);
  assertEquals(code, 0);
  assertStringIncludes(stderr, "debug: canonical request:\ndebug: POST\ndebug: /sessions\n");
  assertStringIncludes(stderr, "debug: string to sign:\ndebug: AWS4-X509-ECDSA-SHA256\n");
  const [issued] = scenario.emulator.issued;
  assert(issued);
  for (const secret of [issued.accessKeyId, issued.secretAccessKey, issued.sessionToken]) {
    assert(!stderr.includes(secret));
  }
  const keyText = scenario.identity.keyPem.replace(/-----[^-]+-----|\s/g, "");
  assert(!stderr.includes(keyText.slice(0, 40)));
});

Deno.test("credential-process signs again and retries temporary failures, and then succeeds", async () => {
  await using scenario = await SessionScenario.create();
  scenario.emulator.fail("drop", 1);
  scenario.emulator.fail("unavailable", 1);
  scenario.emulator.fail("throttled", 1);
  const { code, stderr } = await runBinary(["credential-process", ...scenario.flags]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const { requests } = scenario.emulator;
  assertEquals(requests.length, 4);
  assertEquals(requests.map(({ refusal }) => refusal), [null, null, null, null]);
});

Deno.test("credential-process waits for unverified servers, in each of 20 runs", async () => {
  await using scenario = await SessionScenario.create();
  const codes: number[] = [];
  for (let i = 0; i < 20; i++) {
    const { code } = await runBinary(["credential-process", ...scenario.flags, "--no-verify-ssl"]);
    codes.push(code);
  }
  assertEquals(codes, codes.map(() => 0));
});

Deno.test("credential-process accepts any server certificate with --no-verify-ssl, and warns", async () => {
  await using scenario = await SessionScenario.create();
  const flags = scenario.flags.slice(0, -2);
  assertEquals(flags.includes("--ca-bundle"), false);
  const refused = await runBinary(["credential-process", ...flags]);
  assertEquals({ code: refused.code, stdout: refused.stdout }, { code: 6, stdout: "" });
  assertStringIncludes(refused.stderr, "--ca-bundle");
  const accepted = await runBinary(["credential-process", ...flags, "--no-verify-ssl"]);
  assertEquals(accepted.code, 0);
  assertMatch(accepted.stderr, /^warning: --no-verify-ssl: .*\n$/);
  assertStringIncludes(accepted.stdout, scenario.emulator.issued[0]?.accessKeyId ?? "no session");
});

Deno.test("credential-process uses plain HTTP on loopback", async () => {
  await using scenario = await SessionScenario.create();
  await using plain = await (await import("../emulator/emulator.ts")).CreateSessionEmulator.start({
    trustAnchors: [scenario.trustAnchor.certificatePem],
    region: "us-east-1",
  });
  const { code, stderr } = await runBinary([
    "credential-process",
    ...scenario.flags,
    "--endpoint",
    plain.url,
  ]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertEquals(plain.issued.length, 1);
});

Deno.test("credential-process refuses to write TLS session keys when SSLKEYLOGFILE is set", async () => {
  await using scenario = await SessionScenario.create();
  const file = scenario.directory.join("session keys");
  for (const verification of [[], ["--no-verify-ssl"]]) {
    const { code, stdout, stderr } = await runBinary(
      ["credential-process", ...scenario.flags, ...verification],
      { env: { SSLKEYLOGFILE: file } },
    );
    assertEquals({ code, stdout }, { code: 2, stdout: "" });
    assertMatch(
      stderr,
      /^aws_signing_helper: SSLKEYLOGFILE: asks for the TLS session's keys[^\n]*unset it\n$/,
    );
  }
  assertEquals(scenario.emulator.requests.length, 0);
  // The runtime would open the file before the program runs: its name is removed from the base binary.
  assertThrows(() => Deno.statSync(file), Deno.errors.NotFound);
});

Deno.test("credential-process signs with an ML-DSA key", async () => {
  await using scenario = await SessionScenario.create();
  for (const level of [44, 65, 87] as const) {
    const { certificatePath, keyPath } = await issueMldsaCertificate(scenario.trustAnchor, {
      subject: `/CN=ml-dsa-${level}`,
      level,
    });
    const { code, stderr } = await runBinary([
      "credential-process",
      ...scenario.serviceFlags,
      "--certificate",
      certificatePath,
      "--private-key",
      keyPath,
    ]);
    assertEquals({ level, code, stderr }, { level, code: 0, stderr: "" });
  }
});
