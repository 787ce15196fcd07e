import { assert, assertEquals, assertRejects } from "@std/assert";
import { findKey } from "../../../plugins/tpm/keys/handle_key.ts";
import { runWithKey, type TpmKey, type Use } from "../../../plugins/tpm/keys/key.ts";
import { openLibraries } from "../../../plugins/tpm/tss/libraries.ts";
import { PasswordMemory } from "../../../plugins/tpm/auth/passwords.ts";
import { LIMITS } from "../../../plugins/tpm/tss/timeouts.ts";
import { SESSION_ATTRIBUTE } from "../../../plugins/tpm/commands/sessions.ts";
import { signingPlan } from "../../../plugins/tpm/keys/signature_scheme.ts";
import type { TpmAccess } from "../../../plugins/tpm/keys/transaction.ts";
import { sign } from "../../../plugins/tpm/commands/signing.ts";
import { EMPTY, sized, u16, u32, wire } from "../../../plugins/tpm/structures/wire.ts";
import { runExclusive } from "../../../plugins/tpm/keys/with_tpm.ts";
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { NO_CONTEXT } from "../../keystore/fake_keystore.ts";
import { makeParents, TpmKeyMaker } from "../../support/tpm/key_maker.ts";
import { SoftwareTpm } from "../../support/tpm/software_tpm.ts";
import { COMMAND, type ProxyOptions, TpmProxy } from "../../support/tpm/tpm_proxy.ts";

// They stay open for the life of a process: opened here, no test is blamed for that.
openLibraries();

/** A TPM with a key that counts wrong passwords, behind a proxy; and what a person types. */
async function start(options: ProxyOptions = {}, answers: string[] = []) {
  const tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    child key 0x81000001 -G ecc256 -a "$SIGN" -p keypw; persist key 0x81000001 0x81000101`);
  const proxy = TpmProxy.start(tpm, options);
  const questions: string[] = [];
  const context: KeystoreContext = {
    ...NO_CONTEXT,
    environment: (name) => proxy.env[name],
    prompt: (question) => {
      questions.push(question);
      return Promise.resolve(answers.shift());
    },
    monotonic: () => performance.now(),
    sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  };
  const access: TpmAccess = { context, label: "handle:0x81000101" };
  return {
    tpm,
    proxy,
    questions,
    access,
    count: (command: number) => proxy.commands.filter((code) => code === command).length,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await tpm[Symbol.asyncDispose]();
    },
  };
}

const signing = (key: TpmKey): Use<Uint8Array> => ({
  encryption: SESSION_ATTRIBUTE.decrypt,
  confidential: false,
  run: (connection, object, session) =>
    sign(
      connection,
      object,
      session,
      sized(new Uint8Array(32)),
      signingPlan(key.publicArea, "SHA-256").scheme,
      wire(u16(0x8024), u32(0x40000007), EMPTY),
    ),
});

/** Waits until nothing is left in the TPM. */
async function emptied(tpm: SoftwareTpm): Promise<void> {
  for (let tries = 0; (await tpm.leftovers()).length > 0; tries++) {
    assert(tries < 100, "something is left in the TPM");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

Deno.test("useKey() asks once in a process, as long as the password is right", async () => {
  await using at = await start({}, ["keypw"]);
  const memory = new PasswordMemory();
  const key = await findKey("81000101", at.access);
  for (let i = 0; i < 3; i++) {
    assert((await runWithKey(key, at.access, signing(key), memory)).length > 60);
  }
  assertEquals(at.questions.length, 1);
  assertEquals(await at.tpm.failedTries(), 0);
});

Deno.test("useKey() never sends a refused password again in a process", async () => {
  await using at = await start({}, []);
  const memory = new PasswordMemory();
  const context = { ...at.access.context, secret: () => Promise.resolve("wrong") };
  const access = { ...at.access, context };
  const key = await findKey("81000101", access);
  let sent = 0;
  for (let i = 0; i < 5; i++) {
    const error = await assertRejects(
      () => runWithKey(key, access, signing(key), memory),
      HelperError,
      "the password given is not that of the TPM key handle:0x81000101",
    );
    assertEquals(error.code, "key-locked");
    // At the first use of a key that counts, the TPM makes a note and wants the command again.
    if (i === 0) sent = at.count(COMMAND.sign);
  }
  assertEquals([at.count(COMMAND.sign), await at.tpm.failedTries()], [sent, 1]);
});

Deno.test("useKey() gives up on a TPM that does not answer, and cleans up when it does after all", async () => {
  const held = { milliseconds: 1500 };
  await using at = await start({
    delayOf: (code) => code === COMMAND.sign ? held.milliseconds : 0,
  });
  const context = { ...at.access.context, secret: () => Promise.resolve("keypw") };
  const access = { ...at.access, context, limits: { ...LIMITS, answer: 300 } };
  const key = await findKey("81000101", access);
  const error = await assertRejects(
    () => runWithKey(key, access, signing(key), new PasswordMemory()),
    HelperError,
    "handle:0x81000101: the TPM at swtpm:",
  );
  assertEquals(error.code, "keystore-unavailable");
  held.milliseconds = 0;
  // The next use is not hindered, whatever the first still waits for.
  await runWithKey(key, access, signing(key), new PasswordMemory());
  await emptied(at.tpm);
});

for (const command of ["sign", "createPrimary"] as const) {
  Deno.test(`useKey() ends soon after a signal even when the TPM does not answer to ${command}`, async () => {
    await using at = await start({ delayOf: (code) => code === COMMAND[command] ? 1200 : 0 });
    const controller = new AbortController();
    const context: KeystoreContext = {
      ...at.access.context,
      secret: () => Promise.resolve("keypw"),
      holdSignals: () => ({ signal: controller.signal, [Symbol.dispose]() {} }),
    };
    const access = { ...at.access, context, limits: { ...LIMITS, answerWhenEnding: 200 } };
    const key = await findKey("81000101", access);
    const used = runWithKey(key, access, signing(key), new PasswordMemory());
    const refused = assertRejects(() => used, HelperError, "interrupted");
    while (at.count(COMMAND[command]) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new HelperError("interrupted", "interrupted by a signal"));
    const ended = performance.now();
    await refused;
    assert(performance.now() - ended < 800, "it waited for the answer");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await emptied(at.tpm);
  });
}

Deno.test("while a slow TPM signs, the process does other things", async () => {
  await using at = await start({ delayOf: (code) => code === COMMAND.sign ? 500 : 0 });
  const context = { ...at.access.context, secret: () => Promise.resolve("keypw") };
  const access = { ...at.access, context };
  const key = await findKey("81000101", access);
  let ticks = 0;
  const clock = setInterval(() => ticks += 1, 10);
  await runWithKey(key, access, signing(key), new PasswordMemory());
  clearInterval(clock);
  assert(ticks > 10, `${ticks} ticks in half a second`);
});

Deno.test("inTurn() does one thing at a time, also after one has failed", async () => {
  const done: string[] = [];
  const work = (name: string, milliseconds: number) => async () => {
    done.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    done.push(`${name} ends`);
    if (name === "b") throw new Error(name);
  };
  const all = await Promise.allSettled([
    runExclusive(work("a", 20)),
    runExclusive(work("b", 5)),
    runExclusive(work("c", 1)),
  ]);
  assertEquals(all.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assertEquals(done, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});
