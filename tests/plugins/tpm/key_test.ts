import { assert, assertEquals, assertRejects } from "@std/assert";
import { findKey } from "../../../plugins/tpm/keys/handle_key.ts";
import { type KeyOperation, runWithKey, type TpmKey } from "../../../plugins/tpm/keys/key.ts";
import { openLibraries } from "../../../plugins/tpm/tss/libraries.ts";
import { PasswordCache } from "../../../plugins/tpm/auth/passwords.ts";
import { TIMEOUTS } from "../../../plugins/tpm/tss/timeouts.ts";
import { SESSION_ATTRIBUTE } from "../../../plugins/tpm/commands/sessions.ts";
import { planSignature } from "../../../plugins/tpm/keys/signature_scheme.ts";
import type { TpmAccess } from "../../../plugins/tpm/keys/transaction.ts";
import { sign } from "../../../plugins/tpm/commands/signing.ts";
import { EMPTY, tpm2b, u16, u32, wire } from "../../../plugins/tpm/structures/wire.ts";
import { runExclusive } from "../../../plugins/tpm/keys/with_tpm.ts";
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { makeParents, TpmKeyMaker } from "../../support/tpm/key_maker.ts";
import { SoftwareTpm } from "../../support/tpm/software_tpm.ts";
import { COMMAND, type ProxyOptions, TpmProxy } from "../../support/tpm/tpm_proxy.ts";
import { scriptedContext } from "../../support/scripted_context.ts";
import { REAL_CLOCKS } from "../../support/real_clocks.ts";

// The libraries stay open until exit; opened here, so that no test fails the leak check.
openLibraries();

/** Starts a TPM with a key that counts wrong passwords, a proxy, and a scripted prompt. */
async function start(options: ProxyOptions = {}, typed: string[] = []) {
  const tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    child key 0x81000001 -G ecc256 -a "$SIGN" -p keypw; persist key 0x81000001 0x81000101`);
  const proxy = TpmProxy.start(tpm, options);
  const context = {
    ...scriptedContext({ environment: proxy.env, answers: typed }),
    ...REAL_CLOCKS,
  };
  const access: TpmAccess = { context, label: "handle:0x81000101" };
  return {
    tpm,
    proxy,
    questions: context.questions,
    access,
    count: (command: number) => proxy.commands.filter((code) => code === command).length,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await tpm[Symbol.asyncDispose]();
    },
  };
}

const signing = (key: TpmKey): KeyOperation<Uint8Array> => ({
  encryption: SESSION_ATTRIBUTE.decrypt,
  confidential: false,
  run: (connection, object, session) =>
    sign(
      connection,
      object,
      session,
      tpm2b(new Uint8Array(32)),
      planSignature(key.publicArea, "SHA-256").scheme,
      wire(u16(0x8024), u32(0x40000007), EMPTY),
    ),
});

const givenPassword = (text: string): Pick<KeystoreContext, "secret"> => ({
  secret: (name) => Promise.resolve({ text, source: `--${name}` }),
});

/** Waits until the TPM is empty. */
async function waitUntilEmpty(tpm: SoftwareTpm): Promise<void> {
  for (let tries = 0; (await tpm.listLeftovers()).length > 0; tries++) {
    assert(tries < 1200, "the TPM is not empty");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

Deno.test("runWithKey() prompts once in a process if the password is right", async () => {
  await using at = await start({}, ["keypw"]);
  const cache = new PasswordCache();
  const key = await findKey("81000101", at.access);
  for (let i = 0; i < 3; i++) {
    assert((await runWithKey(key, at.access, signing(key), cache)).length > 60);
  }
  assertEquals(at.questions.length, 1);
  assertEquals(await at.tpm.readLockoutCounter(), 0);
});

Deno.test("runWithKey() never sends a rejected password again in a process", async () => {
  await using at = await start({}, []);
  const cache = new PasswordCache();
  const context = { ...at.access.context, ...givenPassword("wrong") };
  const access = { ...at.access, context };
  const key = await findKey("81000101", access);
  let sent = 0;
  for (let i = 0; i < 5; i++) {
    const error = await assertRejects(
      () => runWithKey(key, access, signing(key), cache),
      HelperError,
      "wrong password for the TPM key handle:0x81000101",
    );
    assertEquals(error.code, "key-locked");
    // At the first use of a key with lockout, the TPM returns TPM_RC_RETRY, so it is sent twice.
    if (i === 0) sent = at.count(COMMAND.sign);
  }
  assertEquals([at.count(COMMAND.sign), await at.tpm.readLockoutCounter()], [sent, 1]);
});

Deno.test("runWithKey() times out, and flushes when the TPM responds later", async () => {
  const held = { milliseconds: 1500 };
  await using at = await start({
    delayOf: (code) => code === COMMAND.sign ? held.milliseconds : 0,
  });
  const context = { ...at.access.context, ...givenPassword("keypw") };
  const access = { ...at.access, context };
  const impatient = { ...access, timeouts: { ...TIMEOUTS, response: 300 } };
  const key = await findKey("81000101", access);
  const error = await assertRejects(
    () => runWithKey(key, impatient, signing(key), new PasswordCache()),
    HelperError,
    "handle:0x81000101: the TPM at swtpm:",
  );
  assertEquals(error.code, "keystore-unavailable");
  held.milliseconds = 0;
  // The next use works while the first call is still running.
  await runWithKey(key, access, signing(key), new PasswordCache());
  await waitUntilEmpty(at.tpm);
});

for (const command of ["sign", "createPrimary"] as const) {
  Deno.test(`runWithKey() ends soon after a signal if the TPM does not respond to ${command}`, async () => {
    const ended = Promise.withResolvers<void>();
    await using at = await start({
      heldUntil: (code) => code === COMMAND[command] ? ended.promise : undefined,
    });
    const controller = new AbortController();
    const context: KeystoreContext = {
      ...at.access.context,
      ...givenPassword("keypw"),
      holdSignals: () => ({ signal: controller.signal, [Symbol.dispose]() {} }),
    };
    const access = { ...at.access, context, timeouts: { ...TIMEOUTS, responseAfterSignal: 200 } };
    const key = await findKey("81000101", access);
    const used = runWithKey(key, access, signing(key), new PasswordCache());
    const rejected = assertRejects(() => used, HelperError, "interrupted");
    while (at.count(COMMAND[command]) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new HelperError("interrupted", "interrupted by a signal"));
    const sent = performance.now();
    await rejected; // the response comes only after it
    assert(performance.now() - sent < 60_000, "it waited for the response");
    ended.resolve();
    await waitUntilEmpty(at.tpm);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  });
}

Deno.test("a slow TPM does not block the event loop", async () => {
  await using at = await start({ delayOf: (code) => code === COMMAND.sign ? 3000 : 0 });
  const context = { ...at.access.context, ...givenPassword("keypw") };
  const access = { ...at.access, context };
  const key = await findKey("81000101", access);
  let ticks = 0;
  const clock = setInterval(() => ticks += 1, 10);
  await runWithKey(key, access, signing(key), new PasswordCache());
  clearInterval(clock);
  assert(ticks > 10, `${ticks} ticks in three seconds`);
});

Deno.test("runExclusive() runs one at a time, also after a failure", async () => {
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
