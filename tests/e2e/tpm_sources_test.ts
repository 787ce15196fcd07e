import { assertEquals, assertMatch } from "@std/assert";
import { runBinary } from "../support/binary.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { testWith } from "../support/needs.ts";
import { makeParents, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import { policyPcr } from "../support/tpm/policy_keys.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";

const SIGNATURE = /^"[0-9a-f]+"\n$/;

Deno.test("credential-process reads certificate, chain and TSS2 key from one PEM file", async () => {
  await using tpm = await SoftwareTpm.start("unix");
  await using scenario = await SessionScenario.create();
  const maker = new TpmKeyMaker(tpm);
  await maker.make(`primary own o ecc256:aes128cfb; child key own.ctx -G ecc256 -a "$SIGN"`);
  const { trustAnchor, serviceFlags, directory } = scenario;
  // deno-fmt-ignore
  await tpm.run(
    "openssl", "x509", "-new", "-subj", "/CN=tpm", "-force_pubkey", "key.pem", "-days", "30",
    "-CA", trustAnchor.certificatePath, "-CAkey", trustAnchor.keyPath,
    "-extfile", directory.write("extensions", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"),
    "-out", "key.crt",
  );
  const key = Deno.readTextFileSync(maker.tss2("key", { emptyAuth: 255, parent: 0x40000001 }));
  const certificate = Deno.readTextFileSync(tpm.directory.join("key.crt"));
  for (const text of [key + certificate, certificate + trustAnchor.certificatePem + key]) {
    const all = directory.write("all.pem", text);
    const { code, stdout, stderr } = await runBinary(
      ["credential-process", "--certificate", all, ...serviceFlags],
      { env: tpm.env },
    );
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertMatch(stdout, /^\{"Version":1,"AccessKeyId":"ASIA/);
  }
  assertEquals(await tpm.listLeftovers(), []);
});

Deno.test("sign-string reads a TSS2 key from standard input, and in DER", async () => {
  await using tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await maker.make(`
    primary own o ecc256:aes128cfb; child key own.ctx -G ecc256 -a "$SIGN"`);
  const path = maker.tss2("key", { emptyAuth: 255, parent: 0x40000001 });
  await tpm.run("sh", "-c", "grep -v - key.tss2 | base64 -d > key.der");
  const piped = await runBinary(["sign-string", "--private-key", "/dev/stdin"], {
    env: tpm.env,
    stdin: Deno.readTextFileSync(path),
  });
  assertMatch(piped.stdout, SIGNATURE, piped.stderr);
  const der = await runBinary(["sign-string", "--private-key", tpm.directory.join("key.der")], {
    env: tpm.env,
  });
  assertMatch(der.stdout, SIGNATURE, der.stderr);
});

Deno.test("a file named like a handle is a file, and a handle is not a file", async () => {
  await using tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`child key 0x81000001 -G ecc256 -a "$SIGN"`);
  const cwd = tpm.directory.path;
  maker.tss2("key", { emptyAuth: 255, parent: 0x81000001 }, "handle:0x81000001");
  maker.tss2("key", { emptyAuth: 255, parent: 0x81000001 }, "0x81000001");
  const sign = (privateKey: string) =>
    runBinary(["sign-string", "--private-key", privateKey], { env: tpm.env, cwd });
  for (const name of ["./handle:0x81000001", "0x81000001", "file:handle:0x81000001"]) {
    assertMatch((await sign(name)).stdout, SIGNATURE, name);
  }
  assertMatch((await sign("handle:0x81000001")).stderr, /handle:0x81000001: not a signing key/);
});

Deno.test("a transient key of another program signs, and stays loaded", async () => {
  await using tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    child key 0x81000001 -G ecc256 -a "$SIGN" -p keypw
    tpm2_load -Q -C 0x81000001 -u key.pub -r key.priv -c key.ctx`);
  const loaded = await tpm.listLeftovers();
  const [handle = ""] = loaded;
  assertMatch(handle, /^0x8000000\d$/);
  const { stdout, stderr } = await runBinary(
    ["sign-string", "--private-key", `handle:${handle}`, "--tpm-key-password", "keypw"],
    { env: tpm.env },
  );
  assertMatch(stdout, SIGNATURE, stderr);
  assertEquals(await tpm.listLeftovers(), loaded);
});

Deno.test("a key bound to PCRs signs only in their state", async () => {
  await using tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    tpm2_pcrread -Q sha256:0,7,16 -o pcrs; policy pcr sha256 policypcr -l sha256:0,7,16
    child key 0x81000001 -G ecc256 -a "$BOUND" -L pcr.policy`);
  const policy = [await policyPcr(maker.read("pcrs"))];
  const path = maker.tss2("key", { emptyAuth: 255, policy, parent: 0x81000001 });
  const sign = () => runBinary(["sign-string", "--private-key", path], { env: tpm.env });
  assertMatch((await sign()).stdout, SIGNATURE);
  await tpm.run("tpm2_pcrextend", `16:sha256=${"5a".repeat(32)}`);
  const changed = await sign();
  assertEquals([changed.code, changed.stdout], [3, ""]);
  assertMatch(changed.stderr, /the PCRs are not in the state the key is bound to/);
  await tpm.run("tpm2_pcrreset", "16");
  assertMatch((await sign()).stdout, SIGNATURE);
  assertEquals(await tpm.listLeftovers(), []);
});

Deno.test("an owner password comes from --tpm-parent-password, or its variable", async () => {
  await using tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await maker.make(`
    primary own o ecc256:aes128cfb; child key own.ctx -G ecc256 -a "$SIGN"
    tpm2_changeauth -Q -c owner ownerpw`);
  const path = maker.tss2("key", { emptyAuth: 255, parent: 0x40000001 });
  const sign = (flags: readonly string[], env: Record<string, string> = {}) =>
    runBinary(["sign-string", "--private-key", path, ...flags], { env: { ...tpm.env, ...env } });
  assertMatch((await sign(["--tpm-parent-password", "ownerpw"])).stdout, SIGNATURE);
  assertMatch((await sign([], { TPM_PRIMARY_KEY_PASSWORD: "ownerpw" })).stdout, SIGNATURE);
  const refused = await sign([]);
  assertEquals([refused.code, refused.stdout], [3, ""]);
  assertMatch(
    refused.stderr,
    /the TPM's owner hierarchy needs a password, but no terminal is available/,
  );
  assertEquals(await tpm.listLeftovers(), []);
});

Deno.test("a key's password comes from its variable too", async () => {
  await using tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    child key 0x81000001 -G ecc256 -a "$SIGN" -p keypw; persist key 0x81000001 0x81000101`);
  const { stdout, stderr } = await runBinary(
    ["sign-string", "--private-key", "handle:0x81000101"],
    { env: { ...tpm.env, TPM_CHILD_KEY_PASSWORD: "keypw" } },
  );
  assertMatch(stdout, SIGNATURE, stderr);
});

Deno.test("--debug logs the TCTI and the loaded keys, without secrets", async () => {
  await using tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`child key 0x81000002 -P parentpw -G ecc256 -a "$SIGN" -p keypw`);
  const path = maker.tss2("key", { parent: 0x81000002, description: "a\u001b[31mred\nkey" });
  const { code, stderr } = await runBinary(
    // deno-fmt-ignore
    [
      "sign-string", "--private-key", path, "--debug",
      "--tpm-key-password", "keypw", "--tpm-parent-password", "parentpw",
    ],
    { env: tpm.env },
  );
  assertEquals(code, 0);
  assertMatch(stderr, /^debug: tpm: swtpm:host=127\.0\.0\.1,port=\d+ \(from TPM2TOOLS_TCTI\)$/m);
  assertMatch(stderr, /^debug: tpm: parent: 0x81000002$/m);
  assertMatch(stderr, /^debug: tpm: loadable key, "a \[31mred key"$/m);
  for (const secret of ["keypw", "parentpw", "\u001b"]) {
    assertEquals(stderr.includes(secret), false, stderr);
  }
});

Deno.test("a broken TPM library is named, with the command that installs it", async () => {
  await using tpm = await SoftwareTpm.start();
  tpm.directory.write("libtss2-esys.so.0", "not a library");
  const { code, stderr } = await runBinary(
    ["sign-string", "--private-key", "handle:0x81000101", "--no-tpm-key-password"],
    { env: { ...tpm.env, LD_LIBRARY_PATH: tpm.directory.path } },
  );
  assertEquals(code, 3);
  assertMatch(
    stderr,
    /^aws_signing_helper: a key in a TPM needs libtss2-esys\.so\.0, which cannot be loaded [^\n]*install tpm2-tss: [^\n]*\n$/,
  );
});

testWith(
  ["binary", "swtpm", "tss2", "program:socat"],
  "TPM_DEVICE accepts a socket without its control socket, or fails with advice",
  async () => {
    await using tpm = await SoftwareTpm.start("unix", { disconnect: false });
    const maker = new TpmKeyMaker(tpm);
    await makeParents(maker);
    await maker.make(`child key 0x81000001 -G ecc256 -a "$SIGN"`);
    const path = maker.tss2("key", { emptyAuth: 255, parent: 0x81000001 });
    const sign = (env: Record<string, string> = {}) =>
      runBinary(["sign-string", "--private-key", path], { env: { ...tpm.env, ...env } });
    const control = tpm.directory.join("control");
    Deno.renameSync(`${tpm.socket}.ctrl`, control);
    const bridged = await sign();
    assertMatch(bridged.stdout, SIGNATURE, bridged.stderr);
    assertEquals(bridged.stderr, "");
    // PATH with only setsid, which the test needs.
    const only = tpm.directory.join("only");
    Deno.mkdirSync(only);
    Deno.symlinkSync("/usr/bin/setsid", `${only}/setsid`);
    const refused = await sign({ PATH: only });
    assertEquals([refused.code, refused.stdout], [3, ""]);
    assertMatch(refused.stderr, /has no control socket .*tpm\.sock\.ctrl; link it \(ln -s/);
    Deno.symlinkSync(control, `${tpm.socket}.ctrl`);
    const linked = await sign({ PATH: only });
    assertMatch(linked.stdout, SIGNATURE, linked.stderr);
    assertEquals(await tpm.listLeftovers(), []);
  },
);
