import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HelperError } from "../../../src/errors.ts";
import { createAuthority, generateKey } from "../../support/certificates.ts";
import { openssl } from "../../support/openssl.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { type ScriptedContext, scriptedContext } from "../../support/scripted_context.ts";
import { openKeyFile, passphraseContext, readCertificateFile } from "./keystore_context.ts";

const RIGHT = "open sesame";
const WRONG = "open barley";

/** Makes the same key in each container that can be encrypted. */
async function lockedFiles(directory: TemporaryDirectory): Promise<string[]> {
  const { keyPath, certificatePath } = await createAuthority(directory, { subject: "/CN=locked" });
  const passphrase = ["-passout", `pass:${RIGHT}`];
  const making: Readonly<Record<string, readonly string[]>> = {
    "pbes2-aes-192.pem": ["pkcs8", "-topk8", "-v2", "aes-192-cbc", "-in", keyPath],
    "pbes2-aes-256.pem": ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", keyPath],
    "pbes1.pem": ["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-in", keyPath],
    "proc-type.pem": ["ec", "-aes256", "-in", keyPath],
    "modern.p12": ["pkcs12", "-export", "-inkey", keyPath, "-in", certificatePath],
    "legacy.p12": ["pkcs12", "-export", "-legacy", "-inkey", keyPath, "-in", certificatePath],
    "no-mac.p12": ["pkcs12", "-export", "-nomac", "-inkey", keyPath, "-in", certificatePath],
  };
  const paths: string[] = [];
  for (const [name, args] of Object.entries(making)) {
    await openssl([...args, ...passphrase, "-out", directory.join(name)]);
    paths.push(directory.join(name));
  }
  return paths;
}

async function refusal(path: string, context: ScriptedContext): Promise<HelperError> {
  const error = await assertRejects(() => openKeyFile(path, context), HelperError);
  assert(!error.message.includes(WRONG) && !error.message.includes(RIGHT), "a secret is shown");
  assert(!error.message.includes("\n"), "more than one line");
  return error;
}

Deno.test("openKey() uses the passphrase of the flag, without a prompt, when a file is encrypted", async () => {
  using directory = new TemporaryDirectory();
  for (const path of await lockedFiles(directory)) {
    const context = passphraseContext(RIGHT, [WRONG]);
    await using signer = await openKeyFile(path, context);
    assertEquals(signer.publicKey.keyType, "EC", path);
    assertEquals(context.questions, [], path);
  }
});

Deno.test("openKey() fails without a prompt when the passphrase of the flag is wrong", async () => {
  using directory = new TemporaryDirectory();
  for (const path of await lockedFiles(directory)) {
    for (const flag of [WRONG, ""]) {
      const context = passphraseContext(flag, [RIGHT]);
      const error = await refusal(path, context);
      assertEquals(error.code, "key-locked", path);
      assertStringIncludes(error.message, `does not unlock ${path}`);
      assertStringIncludes(error.message, "--pkcs8-password");
      assertEquals(context.questions, []);
    }
  }
});

Deno.test("openKey() names the source of a wrong passphrase", async () => {
  using directory = new TemporaryDirectory();
  const [path = ""] = await lockedFiles(directory);
  const variable = "AWS_SIGNING_HELPER_PKCS8_PASSWORD";
  const cases = [
    [WRONG, { source: variable }, `unlock ${path}; check ${variable} (a file is file:PATH)`],
    [WRONG, { source: variable, origin: "env:A" }, `unlock ${path}; check ${variable} (env:A)`],
    ["", { source: "--pkcs8-password" }, "--pkcs8-password: the passphrase is empty and does"],
    ["", { source: variable, origin: "env:A" }, `${variable} (env:A): the passphrase is empty`],
    ["", { source: variable, origin: "env:A" }, "; check that this job may read the secret"],
    ["", { source: variable, origin: "the file ./a" }, "; check its first line"],
  ] as const;
  for (const [passphrase, source, message] of cases) {
    const context = scriptedContext({
      secrets: { "pkcs8-password": passphrase },
      sources: { "pkcs8-password": source },
    });
    assertStringIncludes((await refusal(path, context)).message, message);
  }
});

Deno.test("openKey() prompts again, naming the file, when an answer is wrong", async () => {
  using directory = new TemporaryDirectory();
  for (const path of await lockedFiles(directory)) {
    const context = scriptedContext({ answers: [WRONG, "", RIGHT] });
    await using signer = await openKeyFile(path, context);
    assertEquals(signer.publicKey.keyType, "EC", path);
    const again = `Wrong passphrase. Passphrase for ${path}: `;
    assertEquals(context.questions, [`Passphrase for ${path}: `, again, again]);
  }
});

Deno.test("openKey() stops when three answers are wrong", async () => {
  using directory = new TemporaryDirectory();
  for (const path of await lockedFiles(directory)) {
    const context = scriptedContext({ answers: Array(9).fill(WRONG) });
    const error = await refusal(path, context);
    assertEquals(error.code, "key-locked", path);
    assertEquals(context.questions.length, 3, path);
  }
});

Deno.test("openKey() names the flag for the passphrase when there is no terminal", async () => {
  using directory = new TemporaryDirectory();
  for (const path of await lockedFiles(directory)) {
    const error = await refusal(path, scriptedContext());
    assertEquals(error.code, "key-locked", path);
    assertStringIncludes(error.message, "--pkcs8-password (env:NAME, file:PATH or fd:N)");
  }
});

Deno.test("openKey() reports each of a thousand wrong passphrases, whatever the padding", async () => {
  using directory = new TemporaryDirectory();
  const keyPath = directory.write("key.pem", await generateKey("ec-p256"));
  const path = directory.join("locked.pem");
  // deno-fmt-ignore
  await openssl([
    "pkcs8", "-topk8", "-v2", "aes-128-cbc", "-iter", "1", "-in", keyPath,
    "-passout", `pass:${RIGHT}`, "-out", path,
  ]);
  for (let i = 0; i < 1000; i++) {
    const error = await refusal(path, passphraseContext(`${WRONG} ${i}`));
    assertEquals(error.code, "key-locked");
  }
});

Deno.test("openKey() accepts an empty passphrase from the flag", async () => {
  using directory = new TemporaryDirectory();
  const keyPath = directory.write("key.pem", await generateKey("ec-p256"));
  const path = directory.join("locked.pem");
  await openssl(["pkcs8", "-topk8", "-in", keyPath, "-passout", "pass:", "-out", path]);
  await using given = await openKeyFile(path, passphraseContext(""));
  await using asked = await openKeyFile(path, scriptedContext({ answers: [""] }));
  assertEquals(given.publicKey.bits, asked.publicKey.bits);
});

Deno.test("readCertificates() prompts for the passphrase when a PKCS#12 file is encrypted", async () => {
  using directory = new TemporaryDirectory();
  for (const path of await lockedFiles(directory)) {
    if (!path.endsWith(".p12")) continue;
    const context = scriptedContext({ answers: [RIGHT] });
    const certificates = await readCertificateFile(path, context);
    assertEquals(certificates.length, 1);
    assertEquals(context.questions.length, 1);
  }
});
