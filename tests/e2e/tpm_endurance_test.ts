import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { createAuthority } from "../support/certificates.ts";
import { makeParents, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import type { SigningReport } from "../support/tpm/signing_process.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";
import { TpmProxy } from "../support/tpm/tpm_proxy.ts";

const SCRIPT = fileURLToPath(new URL("../support/tpm/signing_process.ts", import.meta.url));
/** Maximum growth in MB without a leak: 1500 signatures that leak 1 KB each would be 1.5. */
const MAX_GROWTH = 1;
/** Maximum growth of resident memory, which the C library allocates in steps. */
const MAX_RESIDENT_GROWTH = 16;

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

/** Makes keys by handle, with and without password, and in a file, each with its certificate. */
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
    const { signed, wrong, busy, failures, retries, resident, allocated } = await signInProcess(
      tpm.env,
      ...key,
      "signatures",
      "2500",
    );
    assertEquals(
      { signed, wrong, busy, failures, retries },
      { signed: 2500, wrong: 0, busy: 0, failures: [], retries: 0 },
    );
    assert(
      allocated[0] > 1 && allocated[1] - allocated[0] < MAX_GROWTH,
      `${allocated} MB allocated`,
    );
    assert(resident[0] > 20 && resident[1] - resident[0] < MAX_RESIDENT_GROWTH, `${resident} MB`);
    assertEquals(await tpm.listLeftovers(), []);
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
  const retries = reports.reduce((sum, report) => sum + report.retries, 0);
  assert(retries > 0, "the processes did not contend for the TPM");
}

Deno.test("two processes share a TPM without a resource manager for a minute, without errors", async (t) => {
  await using tpm = await SoftwareTpm.start();
  const { handle, file } = await makeKeys(tpm);
  await t.step("memory for three objects, two files need two each", async () => {
    await using proxy = TpmProxy.start(tpm);
    await contend(proxy.env, [file, file], 30);
    assertEquals(await tpm.listLeftovers(), []);
  });
  await tpm.run("tpm2_createprimary", "-Q", "-c", "left.ctx");
  const left = await tpm.listLeftovers();
  assertEquals(left.length, 1);
  await t.step(
    "memory for two objects, because a third program left a key; a file and a handle",
    async () => {
      await using proxy = TpmProxy.start(tpm);
      await contend(proxy.env, [file, handle], 15);
      assertEquals(await tpm.listLeftovers(), left);
    },
  );
  await t.step("memory for two objects, two files need both", async () => {
    await using proxy = TpmProxy.start(tpm);
    await contend(proxy.env, [file, file], 15);
    assertEquals(await tpm.listLeftovers(), left);
  });
});

Deno.test("a TPM that stays full fails with the busy message", async () => {
  await using tpm = await SoftwareTpm.start();
  const { file } = await makeKeys(tpm);
  for (const name of ["1", "2", "3"]) {
    await tpm.run("tpm2_createprimary", "-Q", "-c", `${name}.ctx`);
  }
  const left = await tpm.listLeftovers();
  const report = await signInProcess(tpm.env, ...file, "seconds", "1");
  const { signed, busy, failures, retries } = report;
  assertEquals({ signed, busy, failures }, { signed: 0, busy: 1, failures: [] });
  assert(retries > 10, `${retries} attempts`);
  assertEquals(await tpm.listLeftovers(), left);
});
