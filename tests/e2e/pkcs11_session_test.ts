import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { runBinary } from "../support/binary.ts";
import { type Authority, issueCertificate } from "../support/certificates.ts";
import { compileModule } from "../support/pkcs11_modules.ts";
import { CREDENTIALS_PATH, END_TIMEOUT, ServeProcess } from "../support/serve_process.ts";
import type { EmulatorOptions } from "../emulator/emulator.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { PIN, SoftHsm } from "../support/soft_hsm.ts";

const wrapper = await compileModule("wrapper");

/** Scenario with an identity on a token, and its intermediate issuer on the same token. */
class TokenScenario implements AsyncDisposable {
  private constructor(
    readonly session: SessionScenario,
    readonly hsm: SoftHsm,
    readonly leaf: Authority,
    readonly log: string,
  ) {}

  static async create(
    keyType: "rsa-2048" | "ec-p384" = "ec-p384",
    emulator: Partial<EmulatorOptions> = {},
  ): Promise<TokenScenario> {
    const session = await SessionScenario.create({}, emulator);
    const hsm = new SoftHsm();
    const token = await hsm.token("machine");
    const between = await issueCertificate(session.trustAnchor, {
      subject: "/CN=Between",
      ca: true,
    });
    const leaf = await issueCertificate(between, { subject: "/CN=machine", keyType });
    await token.importKey(leaf.keyPath, { id: "01", label: "machine" });
    await token.importCertificate(leaf.certificatePath, { id: "01", label: "machine" });
    await token.importCertificate(between.certificatePath, { id: "02", label: "issuer" });
    await token.importKey(leaf.keyPath, { id: "03", label: "careful", alwaysAuthenticate: true });
    return new TokenScenario(session, hsm, leaf, hsm.directory.join("calls"));
  }

  get env(): Record<string, string> {
    return { ...this.hsm.env, WRAPPER_LOG: this.log };
  }

  /** Returns the number of calls of a function. */
  count(name: string): number {
    const lines = Deno.readTextFileSync(this.log).split("\n");
    return lines.filter((line) => line.split(" ")[0] === name).length;
  }

  /** Returns the flags for a certificate, with `more` flags after them. */
  flags(certificate: string, ...more: readonly string[]): string[] {
    return [
      "--certificate",
      certificate,
      "--pkcs11-lib",
      wrapper,
      ...this.session.serviceFlags,
      ...more,
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hsm[Symbol.dispose]();
    await this.session[Symbol.asyncDispose]();
  }
}

const TOKEN = "pkcs11:token=machine";

for (const keyType of ["rsa-2048", "ec-p384"] as const) {
  Deno.test(`credential-process makes one signature for a session with ${keyType}, and sends the token's chain`, async () => {
    await using scenario = await TokenScenario.create(keyType);
    const { certificatePath } = scenario.leaf;
    const key = `${TOKEN};object=machine?pin-value=${PIN}`;
    const runs = [
      scenario.flags(key),
      scenario.flags(`${TOKEN};id=%01`, "--private-key", key),
      scenario.flags(
        `${TOKEN};id=%01;type=cert`,
        "--private-key",
        `${TOKEN};object=careful?pin-value=${PIN}`,
        "--reuse-pin",
      ),
    ];
    for (const [i, flags] of runs.entries()) {
      const { code, stdout, stderr } = await runBinary(["credential-process", ...flags], {
        env: scenario.env,
      });
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      assertEquals(
        JSON.parse(stdout).AccessKeyId,
        scenario.session.emulator.issued.at(-1)?.accessKeyId,
      );
      assertEquals([scenario.count("C_Sign"), scenario.count("C_Finalize") >= i + 1], [
        i + 1,
        true,
      ]);
      assertEquals(scenario.count("C_OpenSession"), scenario.count("C_CloseSession"));
    }
    // A certificate file has no chain: without its issuer it is not trusted.
    const fromFile = scenario.flags(certificatePath, "--private-key", key);
    const refused = await runBinary(["credential-process", ...fromFile], { env: scenario.env });
    assertEquals(refused.code, 4);
    assertStringIncludes(refused.stderr, "Untrusted certificate");
  });
}

Deno.test("update writes the session of a token's key, with one signature a session", async () => {
  await using scenario = await TokenScenario.create();
  const file = scenario.hsm.directory.join("credentials");
  const flags = scenario.flags(`${TOKEN};object=machine?pin-value=${PIN}`, "--profile", "token");
  const { code } = await runBinary(["update", "--once", ...flags], {
    env: { ...scenario.env, AWS_SHARED_CREDENTIALS_FILE: file },
  });
  assertEquals(code, 0);
  const issued = scenario.session.emulator.issued.at(-1);
  const text = Deno.readTextFileSync(file);
  assertStringIncludes(text, `[token]\naws_access_key_id = ${issued?.accessKeyId}\n`);
  assertEquals(scenario.count("C_Sign"), 1);
  assertEquals(scenario.count("C_OpenSession"), scenario.count("C_CloseSession"));
});

Deno.test("credential-process --cache signs on a token once for two runs", async () => {
  await using scenario = await TokenScenario.create();
  const flags = [
    ...scenario.flags(`${TOKEN};object=machine?pin-value=${PIN}`, "--cache"),
    ...["--cache-dir", scenario.hsm.directory.join("cache")],
  ];
  const outputs: string[] = [];
  for (let run = 0; run < 2; run++) {
    const { code, stdout, stderr } = await runBinary(["credential-process", ...flags], {
      env: scenario.env,
    });
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    outputs.push(stdout);
  }
  assertEquals(outputs[0], outputs[1]);
  assertEquals([scenario.count("C_Sign"), scenario.session.emulator.requests.length], [1, 1]);
});

Deno.test("credential-process refuses a certificate that is not the key's, before it is sent", async () => {
  await using scenario = await TokenScenario.create();
  const flags = scenario.flags(
    scenario.session.identity.certificatePath,
    "--private-key",
    `${TOKEN};object=machine?pin-value=${PIN}`,
  );
  const { code, stderr } = await runBinary(["credential-process", ...flags], { env: scenario.env });
  assertEquals(code, 3);
  assertMatch(stderr, /does not belong to the certificate/);
  assertEquals(scenario.session.emulator.requests.length, 0);
});

Deno.test("read-certificate-data lists certificates by URIs that select exactly one", async () => {
  await using scenario = await TokenScenario.create();
  const list = async (uri: string) => {
    const args = ["read-certificate-data", "--certificate", uri, "--pkcs11-lib", wrapper];
    const { code, stdout, stderr } = await runBinary(args, { env: scenario.env });
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    return stdout;
  };
  const all = await list("pkcs11:");
  assertMatch(
    all,
    /^Matching identities\n1\) Hex Fingerprint: [0-9a-f]{40}\nSubject: CN=Between\nIssuer: CN=Demo trust anchor\nSerial Number: [0-9A-F]+\nURI: pkcs11:[^ \n]+\n\n2\) /,
  );
  const entries = all.split("\n\n").slice(0, -1).map((entry) => entry.split("\n").slice(-4));
  assertEquals(entries.length, 2);
  for (const [subject = "", , , uri = ""] of entries) {
    const one = await list(uri.replace("URI: ", ""));
    assertStringIncludes(one, `${subject}\n`);
    assertEquals(one.split("Subject: ").length, 2);
  }
  assertEquals(await list("pkcs11:token=other"), "No matching identities\n");
  assertEquals(scenario.count("C_Login"), 0);
  assertEquals(scenario.count("C_Sign"), 0);
});

/** Sessions so short that they are renewed every few seconds. */
const SHORT_SESSIONS = { sessionSeconds: 6 };

Deno.test("serve answers while the token takes a second to sign, and signs once a session", async () => {
  await using scenario = await TokenScenario.create("ec-p384", SHORT_SESSIONS);
  await using serve = await ServeProcess.start(
    { flags: scenario.flags(`${TOKEN};object=machine?pin-value=${PIN}`) },
    [],
    { ...scenario.env, WRAPPER_HANG: "C_Sign=1000" },
  );
  const { emulator } = scenario.session;
  // A machine that pauses may be at the second.
  assert(scenario.count("C_Sign") - emulator.requests.length <= 1);
  const token = await serve.token();
  /** Times of answers while the token made each of its signatures, milliseconds. */
  const signatures: number[][] = [];
  // A server that waits for the token does so in each signature; load delays a few responses in some.
  const isEverySoon = (times: readonly number[]) =>
    times.length > 20 && times.every((time) => time < 100);
  while (
    emulator.requests.length < 4 ||
    (emulator.requests.length < 16 && !signatures.some(isEverySoon))
  ) {
    const signed = emulator.requests.length;
    const isSigning = scenario.count("C_Sign") > signed;
    const started = performance.now();
    const answer = await serve.get(CREDENTIALS_PATH, token);
    assertEquals([answer.status, (await answer.json()).Code], [200, "Success"]);
    if (isSigning) (signatures[signed] ??= []).push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const times = signatures.flat();
  assert(times.length > 50, `${times.length} requests while the token signed`);
  assert(signatures.some(isEverySoon), signatures.map((each) => Math.max(...each)).join(" "));
  // A machine that pauses delays a response in one signature or another.
  const longest = signatures.map((each) => Math.max(...each)).filter(Number.isFinite)
    .toSorted((a, b) => a - b);
  assertLess(longest[Math.floor(longest.length / 2)] ?? Infinity, 500);
  const { requests } = emulator;
  assert(scenario.count("C_Sign") - requests.length <= 1);
  assertEquals((await serve.end()).code, 0);
});

Deno.test("serve answers and ends on SIGTERM within 5 s while the token hangs", async () => {
  await using scenario = await TokenScenario.create("ec-p384", { sessionSeconds: 16 });
  await using serve = await ServeProcess.start(
    { flags: scenario.flags(`${TOKEN};object=machine?pin-value=${PIN}`) },
    [],
    { ...scenario.env, WRAPPER_HANG: "C_Sign=3600000@2" },
  );
  const until = performance.now() + 60_000;
  while (scenario.count("C_Sign") < 2 && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals(scenario.count("C_Sign"), 2);
  assertEquals((await (await serve.get(CREDENTIALS_PATH)).json()).Code, "Success");
  const { code, milliseconds } = await serve.end();
  assertEquals(code, 0);
  assertLess(milliseconds, END_TIMEOUT);
});

Deno.test("serve reports that the token was removed, keeps serving, and finds it again", async () => {
  await using scenario = await TokenScenario.create("ec-p384", SHORT_SESSIONS);
  const there = scenario.hsm.directory.write("there", "");
  await using serve = await ServeProcess.start(
    { flags: scenario.flags(`${TOKEN};object=machine?pin-value=${PIN}`) },
    [],
    { ...scenario.env, WRAPPER_TOKEN: there },
  );
  Deno.removeSync(there);
  await serve.binary.waitForLine(/warning: the refresh failed: [^\n]*no token matches/);
  assertEquals((await (await serve.get(CREDENTIALS_PATH)).json()).Code, "Success");
  const lines = serve.binary.lines.length;
  Deno.writeTextFileSync(there, "");
  await serve.binary.waitForLine(/credentials are valid until/, lines);
  assertEquals((await serve.end()).code, 0);
  assertEquals(scenario.count("C_OpenSession"), scenario.count("C_CloseSession"));
  assertEquals(scenario.count("C_Sign"), scenario.session.emulator.requests.length);
});

Deno.test("sign-string ends after the timeout when the module hangs", async () => {
  await using scenario = await TokenScenario.create();
  const uri = `${TOKEN};object=machine?pin-value=${PIN}`;
  const args = ["sign-string", "--private-key", uri, "--pkcs11-lib", wrapper];
  const env = { ...scenario.env, WRAPPER_HANG: "C_OpenSession=3600000" };
  const { code, stdout, stderr } = await runBinary(args, { env });
  assertEquals({ code, stdout }, { code: 3, stdout: "" });
  assertMatch(
    stderr,
    /^aws_signing_helper: [^\n]*C_OpenSession has not returned within 20 s[^\n]*\n$/,
  );
});
