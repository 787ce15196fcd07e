import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { BINARY } from "../support/binary.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { compileModule, SOFTHSM } from "../support/pkcs11_modules.ts";
import { PIN, SoftHsm } from "../support/soft_hsm.ts";
import { runOnTerminal } from "../support/terminal.ts";

const hsm = new SoftHsm();
globalThis.addEventListener("unload", () => hsm[Symbol.dispose]());
const token = await hsm.token("asked");
const authority = await createAuthority(hsm.directory, { subject: "/CN=Authority" });
const { keyPath, certificatePath } = await issueCertificate(authority, { subject: "/CN=machine" });
for (
  const [id, label, alwaysAuthenticate] of [["01", "key", false], ["02", "careful", true]] as const
) {
  await token.importKey(keyPath, { id, label, alwaysAuthenticate });
  await token.importCertificate(certificatePath, { id, label });
}

/** Returns the sign-string command; `env` sets its variables, because the terminal's run has none. */
function command(uri: string, module = SOFTHSM, env: Record<string, string> = {}): string[] {
  const variables = Object.entries({ ...hsm.env, ...env }).map(([name, value]) =>
    `${name}=${value}`
  );
  return ["env", ...variables, BINARY, "sign-string", "--pkcs11-lib", module, "--private-key", uri];
}

const KEY = "pkcs11:token=asked;object=key";
const QUESTION = 'The PIN of token "asked": ';
const CONTEXT_QUESTION = 'The PIN for signing with key "careful" of token "asked": ';

Deno.test("the prompt takes both PINs from the terminal without echo", async () => {
  const result = await runOnTerminal(command("pkcs11:token=asked;object=careful"), [
    [QUESTION, `${PIN}\r`],
    [CONTEXT_QUESTION, `${PIN}\r`],
  ]);
  assertEquals([result.code, result.stderr, result.echoes], [0, "", true]);
  assertMatch(result.stdout, /^"[0-9a-f]+"\n$/);
  assertEquals(result.screen.includes(PIN), false);
});

Deno.test("the prompt asks again after a wrong PIN, three times in all", async () => {
  const right = await runOnTerminal(command(KEY), [
    [QUESTION, "0000\r"],
    [`That PIN is wrong. ${QUESTION}`, `${PIN}\r`],
  ]);
  assertEquals(right.code, 0);
  const never = await runOnTerminal(command(KEY), [
    [QUESTION, "0001\r"],
    [QUESTION, "0002\r"],
    [QUESTION, "0003\r"],
  ]);
  assertEquals([never.code, never.stdout], [3, ""]);
  assertMatch(
    never.stderr,
    /^aws_signing_helper: the PIN of token "asked": 3 wrong entries; check it and run again\n$/,
  );
});

Deno.test("the prompt warns before the last try, and reports a token that locks itself", async () => {
  const module = await compileModule("wrapper");
  const tries = hsm.directory.write("tries", "1\n");
  const log = hsm.directory.join("log");
  const env = { WRAPPER_TRIES: tries, WRAPPER_LOG: log };
  const WARNING = `One try is left: a wrong PIN locks token "asked". ${QUESTION}`;
  const locked = await runOnTerminal(command(`${KEY}?pin-value=4711`, module, env), [
    [WARNING, "0000\r"],
  ]);
  assertEquals([locked.code, locked.stdout], [3, ""]);
  assertStringIncludes(locked.stderr, "is locked after too many wrong PINs");
  const logins = Deno.readTextFileSync(log).split("\n").filter((line) =>
    line.startsWith("C_Login")
  );
  assertEquals(logins, ["C_Login 1 0000"]);
});

for (
  const [what, typed, code] of [["Ctrl-C", "12\x03", 130], ["Ctrl-D", "\x04", 3], [
    "nothing",
    "\r",
    3,
  ]] as const
) {
  Deno.test(`the prompt for a PIN ends with ${code} and sends nothing after ${what}`, async () => {
    const module = await compileModule("wrapper");
    const log = hsm.directory.join(`log-${code}-${typed.length}`);
    const result = await runOnTerminal(command(KEY, module, { WRAPPER_LOG: log }), [[
      QUESTION,
      typed,
    ]]);
    assertEquals([result.code, result.stdout, result.echoes], [code, "", true]);
    assertMatch(result.stderr, /^aws_signing_helper: [^\n]+\n$/);
    const calls = Deno.readTextFileSync(log).split("\n");
    assertEquals(calls.some((line) => line.startsWith("C_Login")), false);
    assertEquals(calls.includes("C_Finalize"), true);
  });
}
