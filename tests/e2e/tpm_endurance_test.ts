import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { createAuthority } from "../support/certificates.ts";
import { makeParents, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import type { SigningReport } from "../support/tpm/signing_process.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";
import { TpmProxy } from "../support/tpm/tpm_proxy.ts";

const SCRIPT = fileURLToPath(new URL("../support/tpm/signing_process.ts", import.meta.url));
/** More than this, in MB, is no noise but a leak: 1500 signatures, 1 KB each, would be 1.5. */
const FLAT = 1;
/** The same for resident memory, which grows in steps as the C library asks for it. */
const RESIDENT_FLAT = 16;

async function signInProcess(
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<SigningReport> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--cached-only",
      "-A",
      "--no-check",
      "--v8-flags=--expose-gc",
      SCRIPT,
      ...args,
    ],
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Keys by handle, with and without password, and in a file, each with its certificate. */
async function makeKeys(tpm: SoftwareTpm) {
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    child key 0x81000001 -G ecc256 -a "$SIGN" -p keypw; persist key 0x81000001 0x81000101
    child plain 0x81000001 -G ecc256 -a "$SIGN"; persist plain 0x81000001 0x81000102
    primary own o ecc256:aes128cfb; child owned own.ctx -G ecc256 -a "$SIGN" -p keypw`);
  const authority = await createAuthority(tpm.directory, { subject: "/CN=authority" });
  for (const name of ["key", "plain", "owned"]) {
    // deno-fmt-ignore
    await tpm.run(
      "openssl", "x509", "-new", "-subj", "/CN=tpm", "-force_pubkey", `${name}.pem`, "-days", "30",
      "-CA", authority.certificatePath, "-CAkey", authority.keyPath, "-out", `${name}.crt`,
    );
  }
  return {
    handle: ["handle:0x81000101", tpm.directory.join("key.crt"), "keypw"],
    plain: ["handle:0x81000102", tpm.directory.join("plain.crt"), ""],
    file: [
      maker.tss2("owned", { parent: 0x40000001 }),
      tpm.directory.join("owned.crt"),
      "keypw",
    ],
  };
}

Deno.test("5,000 signatures in one process leave memory flat and the TPM empty", async () => {
  await using tpm = await SoftwareTpm.start("unix");
  const { plain, file } = await makeKeys(tpm);
  for (const key of [plain, file]) {
    const { signed, wrong, busy, failures, repeated, resident, allocated } = await signInProcess(
      tpm.env,
      ...key,
      "signatures",
      "2500",
    );
    assertEquals(
      { signed, wrong, busy, failures, repeated },
      { signed: 2500, wrong: 0, busy: 0, failures: [], repeated: 0 },
    );
    assert(allocated[0] > 1 && allocated[1] - allocated[0] < FLAT, `${allocated} MB allocated`);
    assert(resident[0] > 20 && resident[1] - resident[0] < RESIDENT_FLAT, `${resident} MB`);
    assertEquals(await tpm.leftovers(), []);
  }
});

async function contend(
  env: Readonly<Record<string, string>>,
  keys: readonly (readonly string[])[],
  seconds: number,
): Promise<void> {
  const reports = await Promise.all(
    keys.map((key) => signInProcess(env, ...key, "seconds", String(seconds))),
  );
  for (const { signed, wrong, failures } of reports) {
    assertEquals({ wrong, failures }, { wrong: 0, failures: [] });
    assert(signed > 10, `${signed} signatures`);
  }
  const repeated = reports.reduce((sum, report) => sum + report.repeated, 0);
  assert(repeated > 0, "they did not meet: the test shows nothing");
}

Deno.test("two processes share a TPM without a resource manager for a minute, and none spoils the other", async (t) => {
  await using tpm = await SoftwareTpm.start();
  const { handle, file } = await makeKeys(tpm);
  await t.step("three places for objects, two files need two each", async () => {
    await using proxy = TpmProxy.start(tpm);
    await contend(proxy.env, [file, file], 30);
    assertEquals(await tpm.leftovers(), []);
  });
  await tpm.run("tpm2_createprimary", "-Q", "-c", "left.ctx");
  const left = await tpm.leftovers();
  assertEquals(left.length, 1);
  await t.step("two places, as a third program left a key; a file and a handle", async () => {
    await using proxy = TpmProxy.start(tpm);
    await contend(proxy.env, [file, handle], 15);
    assertEquals(await tpm.leftovers(), left);
  });
  await t.step("two places, two files need both", async () => {
    await using proxy = TpmProxy.start(tpm);
    await contend(proxy.env, [file, file], 15);
    assertEquals(await tpm.leftovers(), left);
  });
});

Deno.test("a TPM that stays full is given up on with the busy sentence", async () => {
  await using tpm = await SoftwareTpm.start();
  const { file } = await makeKeys(tpm);
  for (const name of ["1", "2", "3"]) {
    await tpm.run("tpm2_createprimary", "-Q", "-c", `${name}.ctx`);
  }
  const left = await tpm.leftovers();
  const report = await signInProcess(tpm.env, ...file, "seconds", "1");
  const { signed, busy, failures, repeated } = report;
  assertEquals({ signed, busy, failures }, { signed: 0, busy: 1, failures: [] });
  assert(repeated > 10, `${repeated} tries`);
  assertEquals(await tpm.leftovers(), left);
});
