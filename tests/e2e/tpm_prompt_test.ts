import { assertEquals, assertMatch } from "@std/assert";
import { BINARY } from "../support/binary.ts";
import { runOnTerminal, type TerminalResult } from "../support/terminal.ts";
import { makeParents, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";

type Dialogue = Parameters<typeof runOnTerminal>[1];

/**
 * Starts a TPM with a key that counts wrong passwords (101), one that does not (102), and their
 * files.
 */
async function startTpm(): Promise<SoftwareTpm> {
  const tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    child counted 0x81000001 -G ecc256 -a "$SIGN" -p keypw; persist counted 0x81000001 0x81000101
    child free 0x81000001 -G ecc256 -a "$SIGN|noda" -p keypw; persist free 0x81000001 0x81000102
    child empty 0x81000001 -G ecc256 -a "$SIGN"; persist empty 0x81000001 0x81000103
    child both 0x81000002 -P parentpw -G ecc256 -a "$SIGN" -p keypw`);
  maker.tss2("both", { parent: 0x81000002, description: "of the build server" });
  maker.tss2("free", { parent: 0x81000001, emptyAuth: 0xff });
  return tpm;
}

async function sign(
  tpm: SoftwareTpm,
  privateKey: string,
  dialogue: Dialogue,
): Promise<TerminalResult> {
  const command = [BINARY, "sign-string", "--format", "text", "--private-key", privateKey];
  const env = Object.entries(tpm.env).map(([name, value]) => `${name}=${value}`);
  const result = await runOnTerminal(["env", ...env, ...command], dialogue);
  assertEquals(result.echoes, true);
  assertEquals(await tpm.listLeftovers(), []);
  for (const secret of ["keypw", "parentpw"]) {
    assertEquals(`${result.screen}${result.stderr}`.includes(secret), false);
  }
  return result;
}

const SIGNATURE = /^[0-9a-f]+\n$/;

Deno.test("a handle's password is prompted for on the terminal, and may be empty", async () => {
  await using tpm = await startTpm();
  const question = "Password of the TPM key handle:0x81000101: ";
  const signed = await sign(tpm, "handle:0x81000101", [[question, "keypw\r"]]);
  assertMatch(signed.stdout, SIGNATURE);
  const empty = await sign(tpm, "handle:0x81000103", [["handle:0x81000103: ", "\r"]]);
  assertMatch(empty.stdout, SIGNATURE);
  assertEquals(await tpm.readLockoutCounter(), 0);
});

Deno.test("after a wrong password the program reports the tries left, and prompts again", async () => {
  await using tpm = await startTpm();
  const signed = await sign(tpm, "handle:0x81000101", [
    ["handle:0x81000101: ", "hunter2\r"],
    ["handle:0x81000101: ", "keypw\r"],
  ]);
  assertMatch(signed.stdout, SIGNATURE);
  assertEquals(
    signed.stderr,
    "aws_signing_helper: wrong password; 2 more wrong passwords lock the TPM\n",
  );
  assertEquals(await tpm.readLockoutCounter(), 1);
});

Deno.test("a rejected password is not sent again", async () => {
  await using tpm = await startTpm();
  const signed = await sign(tpm, "handle:0x81000101", [
    ["handle:0x81000101: ", "hunter2\r"],
    ["handle:0x81000101: ", "hunter2\r"],
    ["handle:0x81000101: ", "keypw\r"],
  ]);
  assertMatch(signed.stdout, SIGNATURE);
  assertMatch(signed.stderr, /\n.*: this password was already rejected and is not sent again\n$/);
  assertEquals(await tpm.readLockoutCounter(), 1);
});

Deno.test("the program does not prompt if the TPM is locked, nor after the last try", async () => {
  await using tpm = await startTpm();
  const spent = await sign(tpm, "handle:0x81000101", [
    ["handle:0x81000101: ", "one\r"],
    ["handle:0x81000101: ", "two\r"],
    ["handle:0x81000101: ", "three\r"],
  ]);
  assertEquals({ code: spent.code, stdout: spent.stdout }, { code: 3, stdout: "" });
  assertMatch(
    spent.stderr,
    /wrong password for the TPM key handle:0x81000101; the TPM is locked now: wait 17 minutes for the next try, or have the owner of the lockout hierarchy run tpm2_dictionarylockout --clear-lockout\n$/,
  );
  const locked = await sign(tpm, "handle:0x81000101", [["handle:0x81000101: ", "keypw\r"]]);
  assertEquals(locked.code, 3);
  assertMatch(locked.stderr, /the TPM is locked after too many wrong passwords; wait 17 minutes/);
  assertEquals(await tpm.readLockoutCounter(), 3);
  const free = await sign(tpm, "handle:0x81000102", [["handle:0x81000102: ", "keypw\r"]]);
  assertMatch(free.stdout, SIGNATURE);
});

Deno.test("the program fails after three wrong passwords that are not counted", async () => {
  await using tpm = await startTpm();
  const never = await sign(tpm, "handle:0x81000102", [
    ["handle:0x81000102: ", "one\r"],
    ["handle:0x81000102: ", "two\r"],
    ["handle:0x81000102: ", "three\r"],
  ]);
  assertEquals(never.code, 3);
  assertMatch(
    never.stderr,
    /: the password of the TPM key handle:0x81000102: 3 wrong entries; check it and run again\n$/,
  );
});

Deno.test("the passwords of a file's parent and key are prompted for by name, each until it is right", async () => {
  await using tpm = await startTpm();
  const path = tpm.directory.join("both.tss2");
  const signed = await sign(tpm, path, [
    [`the TPM key in ${path} ("of the build server"): `, "keypw\r"],
    [`the TPM key 0x81000002 (the parent of ${path}): `, "wrong\r"],
    [`the TPM key 0x81000002 (the parent of ${path}): `, "parentpw\r"],
  ]);
  assertMatch(signed.stdout, SIGNATURE);
});

Deno.test("a file that declares an empty password is prompted for after the TPM rejected that", async () => {
  await using tpm = await startTpm();
  const signed = await sign(tpm, tpm.directory.join("free.tss2"), [["free.tss2: ", "keypw\r"]]);
  assertMatch(signed.stdout, SIGNATURE);
});

Deno.test("Ctrl-C and SIGTERM at the prompt end the program with 130, without a command to the TPM", async () => {
  await using tpm = await startTpm();
  for (const typed of ["half\x03", "<terminate>"]) {
    const ended = await sign(tpm, "handle:0x81000101", [["handle:0x81000101: ", typed]]);
    assertEquals({ code: ended.code, stdout: ended.stdout }, { code: 130, stdout: "" });
  }
  assertEquals(await tpm.readLockoutCounter(), 0);
});
