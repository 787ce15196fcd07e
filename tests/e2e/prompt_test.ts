import { assertEquals, assertMatch } from "@std/assert";
import { BINARY } from "../support/binary.ts";
import { openssl } from "../support/openssl.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { runOnTerminal } from "../support/terminal.ts";

const PASSPHRASE = "pässwörd mit Leerzeichen";

/** An encrypted key, and the command that signs with it. */
async function encryptedKey(directory: TemporaryDirectory): Promise<string[]> {
  const path = directory.join("key.pem");
  await openssl([
    "genpkey",
    "-algorithm",
    "EC",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-aes-256-cbc",
    "-pass",
    `pass:${PASSPHRASE}`,
    "-out",
    path,
  ]);
  return [BINARY, "sign-string", "--format", "text", "--private-key", path];
}

const QUESTION = "key.pem: ";

Deno.test("the prompt takes a passphrase from the terminal without echo", async () => {
  using directory = new TemporaryDirectory();
  const result = await runOnTerminal(await encryptedKey(directory), [[
    QUESTION,
    `${PASSPHRASE}\r`,
  ]]);
  assertEquals(result.code, 0);
  assertMatch(result.stdout, /^[0-9a-f]+\n$/);
  assertEquals(result.screen.includes("swörd"), false);
  assertEquals(result.echoes, true);
});

Deno.test("the prompt asks again after a wrong passphrase, three times in all", async () => {
  using directory = new TemporaryDirectory();
  const command = await encryptedKey(directory);
  const second = await runOnTerminal(command, [[QUESTION, "no\r"], [QUESTION, `${PASSPHRASE}\r`]]);
  assertEquals(second.code, 0);
  assertEquals(second.screen.split("Wrong passphrase. Passphrase for").length, 2, second.screen);
  const never = await runOnTerminal(command, [
    [QUESTION, "no\r"],
    [QUESTION, "never\r"],
    [QUESTION, "nowhere\r"],
  ]);
  assertEquals({ code: never.code, stdout: never.stdout }, { code: 3, stdout: "" });
  assertMatch(never.stderr, /^aws_signing_helper: [^\n]*key\.pem[^\n]*\n$/);
  assertEquals(never.echoes, true);
});

Deno.test("the prompt knows backspace over UTF-8 and Ctrl-U", async () => {
  using directory = new TemporaryDirectory();
  const { code } = await runOnTerminal(await encryptedKey(directory), [
    [QUESTION, `wrong\x15${PASSPHRASE}xö\x7f\x7f\r`],
  ]);
  assertEquals(code, 0);
});

for (
  const [what, typed, code] of [
    ["Ctrl-C", "half\x03", 130],
    ["SIGTERM", "<terminate>", 130],
    ["Ctrl-D", "\x04", 3],
  ] as const
) {
  Deno.test(`the prompt restores the terminal after ${what}`, async () => {
    using directory = new TemporaryDirectory();
    const result = await runOnTerminal(await encryptedKey(directory), [[QUESTION, typed]]);
    assertEquals({ code: result.code, stdout: result.stdout }, { code, stdout: "" });
    assertMatch(result.stderr, /^aws_signing_helper: [^\n]+\n$/);
    assertEquals(result.echoes, true);
  });
}
