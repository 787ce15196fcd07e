import { assert, assertEquals, assertMatch } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import { issueCertificate } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { ARN_FLAGS, ARNS, SessionScenario } from "../support/session_scenario.ts";
import { type DropInCase, wordsOf } from "./drop_in/case.ts";
import { COMMAND_LINES } from "./drop_in/command_lines.ts";

const PASSPHRASE = "correct horse";

type Values = Readonly<Record<string, string | readonly string[]>>;

/** Creates the files and values that the lines name. */
async function fixture(scenario: SessionScenario): Promise<Values> {
  const { directory, trustAnchor, identity, emulator } = scenario;
  const issue = (keyType: "rsa-2048" | "ec-p384") =>
    issueCertificate(trustAnchor, { subject: `/CN=${keyType}`, keyType });
  const [rsa, p384] = [await issue("rsa-2048"), await issue("ec-p384")];
  const sub = await issueCertificate(trustAnchor, { subject: "/CN=Sub CA", ca: true });
  const leaf = await issueCertificate(sub, { subject: "/CN=leaf" });
  const made = async (name: string, ...args: string[]) => {
    const path = directory.join(name);
    await openssl([...args, "-out", path]);
    return path;
  };
  const pair = ["-inkey", identity.keyPath, "-in", identity.certificatePath];
  const pass = `pass:${PASSPHRASE}`;
  const key = identity.keyPath;
  return {
    arns: ARN_FLAGS,
    role: ARNS.role,
    profileArn: ARNS.profile,
    anchor: ARNS.trustAnchor,
    endpoint: emulator.url,
    passphrase: PASSPHRASE,
    cert: identity.certificatePath,
    key,
    rsaCert: rsa.certificatePath,
    rsaKey: rsa.keyPath,
    p384Cert: p384.certificatePath,
    p384Key: p384.keyPath,
    pkcs1Key: await made("pkcs1.pem", "rsa", "-traditional", "-in", rsa.keyPath),
    sec1Key: await made("sec1.pem", "ec", "-in", key),
    derCert: await made("cert.der", "x509", "-outform", "DER", "-in", identity.certificatePath),
    derKey: await made("key.der", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", key),
    p12: await made("plain.p12", "pkcs12", "-export", ...pair, "-passout", "pass:"),
    lockedP12: await made("locked.p12", "pkcs12", "-export", ...pair, "-passout", pass),
    lockedKey: await made("locked.pem", "pkcs8", "-topk8", "-in", key, "-passout", pass),
    both: directory.write("both.pem", identity.certificatePem + identity.keyPem),
    spaced: directory.write("my certificates/c d.pem", identity.certificatePem),
    subCa: sub.certificatePath,
    subCert: leaf.certificatePath,
    subKey: leaf.keyPath,
    fullchain: directory.write("fullchain.pem", leaf.certificatePem + sub.certificatePem),
    empty: directory.write("empty.pem", ""),
    blank: directory.write("blank.pem", "\n \r\n"),
    notes: directory.write("notes.txt", "no issuers here\n"),
    damaged: directory.write("damaged.pem", identity.certificatePem.slice(0, 200)),
    missing: directory.join("missing.pem"),
    selector: directory.write("selector.json", '[{"Key": "x509Subject", "Value": "CN=Subject"}]'),
  };
}

/** Runs one case and checks its exit code and effect. */
async function check(row: DropInCase, values: Values, scenario: SessionScenario): Promise<void> {
  const { emulator, directory, caBundle } = scenario;
  const { effect, status = 0, profile = "default", stderr: pattern, prints } = row;
  const args = wordsOf(row.line, values);
  const file = directory.join("credentials");
  const env: Record<string, string> = {
    HOME: directory.path,
    AWS_ENDPOINT_URL: emulator.url,
    AWS_CA_BUNDLE: caBundle,
    AWS_SHARED_CREDENTIALS_FILE: file,
  };
  for (const [name, value] of Object.entries(row.env ?? {})) {
    env[name] = wordsOf(`"${value}"`, values).join("");
  }
  await Deno.remove(file).catch(() => {});
  const before = emulator.requests.length;
  const issuedBefore = emulator.issued.length;

  if (effect === "serves") {
    await using running = new RunningBinary(args, env);
    await running.waitForLine(/^Starting server on port \d+\.\.\.$/);
    running.kill("SIGTERM");
    assertEquals(await running.end(), { code: 0, stdout: "" });
    return;
  }
  const { code, stdout, stderr } = await runBinary(args, { env });
  assertEquals(code, status, stderr);
  if (pattern) assertMatch(stderr, pattern);
  else assertEquals(stderr, "");
  if (prints) assertMatch(stdout, prints);

  const issued = emulator.issued[issuedBefore];
  switch (effect) {
    case "credentials":
      assertEquals(JSON.parse(stdout).AccessKeyId, issued?.accessKeyId);
      break;
    case "written": {
      assertEquals(stdout, "");
      const text = Deno.readTextFileSync(file);
      assert(text.startsWith(`[${profile}]\naws_access_key_id = ${issued?.accessKeyId}\n`), text);
      break;
    }
    case "signature":
      assert(/^("[0-9a-f]{32,}"|[0-9a-f]{32,})\n$/.test(stdout) || args.includes("bin"), stdout);
      assert(stdout.length > 60);
      break;
    case "data":
      assertEquals(Object.keys(JSON.parse(stdout)).length, 4);
      break;
    case "text":
      assert(prints, "a row without prints checks nothing");
      break;
    case "error":
      assertEquals(stdout, "");
      assertMatch(stderr, /^aws_signing_helper: [^\n]+\n$/);
      break;
  }
  if (effect === "credentials" || effect === "written") {
    const [request, ...more] = emulator.requests.slice(before);
    assertEquals([request?.outcome.status, more.length], [201, 0]);
    const header = request?.headers.find(([name]) => name.toLowerCase() === "x-amz-x509-chain");
    if (row.chain !== undefined) {
      assertEquals(header?.[1].split(",").length ?? 0, row.chain);
    }
    const body = JSON.parse(new TextDecoder().decode(request?.body));
    for (const [name, value] of Object.entries(row.body ?? {})) assertEquals(body[name], value);
  }
}

Deno.test("AWS's documented command lines have the expected status and effect", async (t) => {
  await using scenario = await SessionScenario.create();
  const values = await fixture(scenario);
  for (const row of COMMAND_LINES) {
    const env = Object.entries(row.env ?? {}).map(([name, value]) => `${name}=${value} `).join("");
    await t.step(`${env}aws_signing_helper ${row.line} → ${row.status ?? 0}`, async () => {
      await check(row, values, scenario);
    });
  }
  assert(COMMAND_LINES.length >= 120, `the table has only ${COMMAND_LINES.length} rows`);
});
