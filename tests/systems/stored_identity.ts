/**
 * Checks of an identity in a real store: of SoftHSM on each system, of macOS, of Windows. They run the
 * binary only, and openssl and the emulator verify what it signs.
 *
 * @module
 */
import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";

import { type Result, runBinary } from "../support/binary.ts";
import { type CertificateFiles, issueCertificate, type KeyType } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import type { SessionScenario } from "../support/session_scenario.ts";
import { testMessage } from "../support/test_message.ts";

/** Key types that each store accepts. */
export const STORE_KEY_TYPES: readonly KeyType[] = ["ec-p256", "ec-p384", "rsa-2048", "rsa-4096"];

/** Password of the PKCS#12 files that are imported. */
export const PKCS12_PASSWORD = "import-1234";

/** Identity in a store, and how the program reaches it. */
export interface StoredIdentity {
  readonly files: CertificateFiles;
  readonly keyType: KeyType;
  /** Flags that select it. */
  readonly flags: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Issues a certificate by the scenario's trust anchor, with a subject that no other run has. */
export async function issueUnique(
  { trustAnchor }: SessionScenario,
  keyType: KeyType,
): Promise<{ readonly commonName: string; readonly files: CertificateFiles }> {
  const commonName = `test-${crypto.randomUUID()}`;
  const files = await issueCertificate(trustAnchor, { subject: `/CN=${commonName}`, keyType });
  return { commonName, files };
}

/** Writes a PKCS#12 file with the older algorithms, which the importers of both systems read. */
export async function writePkcs12({ certificatePath, keyPath }: CertificateFiles): Promise<string> {
  const path = `${keyPath}.p12`;
  // deno-fmt-ignore
  await openssl([
    "pkcs12", "-export", "-inkey", keyPath, "-in", certificatePath, "-out", path,
    "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1",
    "-passout", `pass:${PKCS12_PASSWORD}`,
  ]);
  return path;
}

/** Runs a program of the system. Throws its output if it fails. */
export async function runTool(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    env: { ...env },
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`${program} ${args[0]}: ${decode(stderr)}${decode(stdout)}`);
  return decode(stdout);
}

/** Checks `selftest`, `sign-string` with each digest, and `credential-process`. */
export async function checkIdentity(
  scenario: SessionScenario,
  identity: StoredIdentity,
): Promise<void> {
  const run = async (...args: readonly string[]): Promise<Result> => {
    const result = await runBinary([...args, ...identity.flags], { env: identity.env ?? {} });
    assertEquals({ code: result.code, stderr: result.stderr }, { code: 0, stderr: "" });
    return result;
  };
  const report = (await run("selftest")).stdout;
  assertMatch(report, /^Signed: .*, verified$/m);
  assertMatch(report, /^Result: passed$/m);
  const publicKey = `${identity.files.keyPath}.public`;
  Deno.writeFileSync(
    publicKey,
    await openssl(["pkey", "-in", identity.files.keyPath, "-pubout"]),
  );
  for (const digest of ["SHA256", "SHA384", "SHA512"]) {
    const { stdoutBytes } = await run("sign-string", "--format", "bin", "--digest", digest);
    const signature = `${identity.files.keyPath}.signature`;
    Deno.writeFileSync(signature, stdoutBytes);
    const args = ["dgst", `-${digest.toLowerCase()}`, "-verify", publicKey];
    const verified = await openssl([...args, "-signature", signature], {
      stdin: testMessage(Deno.readTextFileSync(publicKey)),
    });
    assertStringIncludes(new TextDecoder().decode(verified), "Verified OK");
  }
  const { stdout } = await run("credential-process", ...scenario.serviceFlags);
  assertEquals(JSON.parse(stdout).Version, 1);
}

/** Checks that a selector without a match fails, and prints no credentials. */
export async function checkNoMatch(
  scenario: SessionScenario,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const selector = `Key=x509Subject,Value=CN=${crypto.randomUUID()}`;
  const flags = ["--cert-selector", selector, ...scenario.serviceFlags];
  const { code, stdout, stderr } = await runBinary(["credential-process", ...flags], { env });
  assertNotEquals(code, 0);
  assertEquals(stdout, "");
  assertMatch(stderr, /^aws_signing_helper: [^\n]*matches --cert-selector[^\n]*\n$/);
}
