import { assert, assertEquals, assertMatch } from "@std/assert";
import { BINARY } from "../support/binary.ts";
import { makeParents, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";
import { COMMAND, TpmProxy } from "../support/tpm/tpm_proxy.ts";

interface Interruption {
  readonly name: string;
  readonly signal: Deno.Signal;
  /** The signal arrives while the response to this command is pending. */
  readonly during: number;
  readonly args: readonly string[];
}

async function interrupt(tpm: SoftwareTpm, interruption: Interruption): Promise<void> {
  const { signal, during, args } = interruption;
  const sent = Promise.withResolvers<void>();
  await using proxy = TpmProxy.start(tpm, {
    heldUntil: (code) => code === during ? sent.promise : undefined,
    delayOf: (code) => code === during ? 700 : 0,
  });
  await using child = new Deno.Command(BINARY, {
    args: ["sign-string", ...args],
    clearEnv: true,
    env: proxy.env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  while (!proxy.commands.includes(during)) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill(signal);
  sent.resolve();
  const { code, stdout, stderr } = await output;
  assertEquals({ code, stdout: stdout.length }, { code: 130, stdout: 0 });
  assertMatch(
    new TextDecoder().decode(stderr),
    /^aws_signing_helper: interrupted by a signal\n$/,
  );
}

Deno.test("a signal during a signature ends the program and leaves the TPM empty", async (t) => {
  await using tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    child file 0x81000001 -G ecc256 -a "$SIGN" -p keypw; persist file 0x81000001 0x81000101
    primary own o ecc256:aes128cfb; child owned own.ctx -G ecc256 -a "$SIGN"`);
  const handle = ["--private-key", "handle:0x81000101", "--tpm-key-password", "keypw"];
  const owned = ["--private-key", maker.tss2("owned", { emptyAuth: 255, parent: 0x40000001 })];
  const file = [
    "--private-key",
    maker.tss2("file", { parent: 0x81000001 }),
    "--tpm-key-password",
    "keypw",
  ];
  const rows: readonly Interruption[] = [
    { name: "SIGTERM, file", signal: "SIGTERM", during: COMMAND.sign, args: owned },
    { name: "SIGTERM, file and session", signal: "SIGTERM", during: COMMAND.sign, args: file },
    { name: "SIGINT, handle and session", signal: "SIGINT", during: COMMAND.sign, args: handle },
    {
      name: "SIGTERM, while the parent is created",
      signal: "SIGTERM",
      during: COMMAND.createPrimary,
      args: owned,
    },
    {
      name: "SIGHUP, while the session's salt key is created",
      signal: "SIGHUP",
      during: COMMAND.createPrimary,
      args: handle,
    },
  ];
  for (const row of rows) {
    await t.step(row.name, async () => {
      await interrupt(tpm, row);
      assertEquals(await tpm.listLeftovers(), []);
    });
  }
});

Deno.test("a signal ends the program at once if it has not loaded anything into the TPM", async () => {
  await using tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    child plain 0x81000001 -G ecc256 -a "$SIGN"; persist plain 0x81000001 0x81000101`);
  await using proxy = TpmProxy.start(tpm, {
    delayOf: (code) => code === COMMAND.sign ? 20_000 : 0,
  });
  await using child = new Deno.Command(BINARY, {
    args: ["sign-string", "--private-key", "handle:0x81000101", "--no-tpm-key-password"],
    clearEnv: true,
    env: proxy.env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  while (!proxy.commands.includes(COMMAND.sign)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const sent = performance.now();
  child.kill("SIGTERM");
  const { signal } = await child.status;
  assertEquals(signal, "SIGTERM");
  assert(performance.now() - sent < 15_000, "it waited for the TPM");
  assertEquals(await tpm.listLeftovers(), []);
});
