import { assert, assertEquals, assertMatch } from "@std/assert";
import { runBinary, runProgram } from "../support/binary.ts";
import { createAuthority } from "../support/certificates.ts";
import { testWith } from "../support/needs.ts";
import { OtherUser } from "../support/other_user.ts";
import { makeParents, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import { POLICY, policyPcr } from "../support/tpm/policy_keys.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import type { PolicyEntry } from "../support/tpm/tss2_pem.ts";

interface Rejection {
  readonly name: string;
  readonly privateKey: string;
  readonly flags?: readonly string[];
  /** Default 3. */
  readonly code?: number;
  readonly message: RegExp;
  /** Number of wrong passwords that the TPM counts; default 0. */
  readonly counted?: number;
  /** Default: the TPM's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

const NONE = ["--no-tpm-key-password"];
const EMPTY = { emptyAuth: 0xff };
const SECRETS = ["keypw", "parentpw", "hunter2"];

async function assertRejected(tpm: SoftwareTpm, rejection: Rejection): Promise<void> {
  const before = await tpm.readLockoutCounter();
  const { code, stdout, stderr } = await runBinary(
    ["sign-string", "--private-key", rejection.privateKey, ...rejection.flags ?? []],
    { env: rejection.env ?? tpm.env },
  );
  assertMatch(stderr, rejection.message);
  assertMatch(stderr, /^aws_signing_helper: [^\n]+\n$/, "one line");
  assertEquals({ code, stdout }, { code: rejection.code ?? 3, stdout: "" });
  for (const secret of SECRETS) assert(!stderr.includes(secret), "a secret on standard error");
  assertEquals(await tpm.listLeftovers(), []);
  assertEquals(await tpm.readLockoutCounter() - before, rejection.counted ?? 0, "counted tries");
}

/** Flips one bit near the end of a file. */
function damage(maker: TpmKeyMaker, name: string, extension: "pub" | "priv"): string {
  const copy = `${name}-damaged-${extension}`;
  for (const each of ["pub", "priv"]) {
    const bytes = maker.read(`${name}.${each}`);
    if (each === extension) bytes[bytes.length - 5] = (bytes[bytes.length - 5] ?? 0) ^ 1;
    maker.tpm.directory.write(`${copy}.${each}`, bytes);
  }
  return maker.tss2(copy, { ...EMPTY, parent: 0x81000001 });
}

async function makeKeys(maker: TpmKeyMaker): Promise<void> {
  await maker.make(`
    S=0x81000001
    tpm2_pcrread -Q sha256:0,7,16 -o pcrs
    child ec $S -G ecc256 -a "$SIGN"; persist ec $S 0x81000101
    child pw $S -G ecc256 -a "$SIGN" -p keypw; persist pw $S 0x81000102
    child noda $S -G ecc256 -a "$SIGN|noda" -p keypw; persist noda $S 0x81000103
    child decrypt $S -G rsa2048 -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|decrypt'
    persist decrypt $S 0x81000104
    child pss $S -G rsa2048:rsapss-sha256:null -a "$SIGN"; persist pss $S 0x81000105
    child hmac $S -G hmac -a "$SIGN"; persist hmac $S 0x81000106
    child fixed $S -G rsa2048:rsassa-sha256:null -a "$SIGN"; persist fixed $S 0x81000107
    policy pcr sha256 policypcr -l sha256:0,7,16
    child bound $S -G ecc256 -a "$BOUND" -L pcr.policy; persist bound $S 0x81000108
    policy three sha256 policylocality three; child three $S -G ecc256 -a "$BOUND" -L three.policy
    policy code sha256 policycommandcode TPM2_CC_Unseal
    child code $S -G ecc256 -a "$BOUND" -L code.policy
    child p2 0x81000002 -P parentpw -G ecc256 -a "$SIGN"
    child p3 0x81000003 -G ecc256 -a "$SIGN"
    child ak $S -G ecc256:ecdaa4-sha256:null -a "$SIGN" && persist ak $S 0x81000109
    printf 'not a key' >text; child sealed $S -i text -a 'fixedtpm|fixedparent|userwithauth|noda'`);
}

// deno-fmt-ignore-start: a table, one row per line
async function makeRejections(maker: TpmKeyMaker, foreign: TpmKeyMaker): Promise<Rejection[]> {
  const pcr = await policyPcr(maker.read("pcrs"));
  const wrongPcr = await policyPcr(Uint8Array.from(maker.read("pcrs"), (byte, i) => i === 3 ? byte ^ 1 : byte));
  const guarded = (name: string, ...policy: PolicyEntry[]) =>
    maker.tss2(name, { ...EMPTY, policy, parent: 0x81000001 }, `${name}-${policy.map(({ code }) => code).join("-")}-${policy[0]?.parameters?.[5]}.tss2`);
  const other = { code: 0x16a, parameters: new Uint8Array(8) };
  return [
    // keys
    { name: "a handle without a key", privateKey: "handle:0x81000999", flags: NONE, message: /handle:0x81000999: the TPM holds no key at this handle; list handles with tpm2_getcap handles-persistent/ },
    { name: "a transient handle without a key", privateKey: "handle:0x80000001", flags: NONE, message: /handle:0x80000001: the TPM holds no key at this handle/ },
    { name: "an NV index", privateKey: "handle:0x01800001", code: 2, message: /handle of an NV index; use a key's handle, which begins with 81/ },
    { name: "a hierarchy", privateKey: "handle:0x40000001", code: 2, message: /handle of a hierarchy/ },
    { name: "a handle in the syntax of openssl's provider", privateKey: "handle:0x81000101?pass", code: 2, message: /handle:0x81000101\?pass: not a TPM handle; write eight hexadecimal digits/ },
    { name: "a file's name as a handle", privateKey: "handle:key.pem", code: 2, message: /handle:…: not a TPM handle/ },
    { name: "a storage key", privateKey: "handle:0x81000001", flags: NONE, message: /handle:0x81000001: not a signing key \(the sign attribute is missing\)/ },
    { name: "a decryption key", privateKey: "handle:0x81000104", flags: NONE, message: /not a signing key/ },
    { name: "an RSA-PSS key", privateKey: "handle:0x81000105", flags: NONE, message: /the key signs only with RSA-PSS; make a key without a fixed scheme \(IAM Roles Anywhere needs PKCS#1/ },
    { name: "an ECDAA key", privateKey: "handle:0x81000109", flags: NONE, message: /the key signs only with ECDAA/ },
    { name: "an HMAC key", privateKey: "handle:0x81000106", flags: NONE, message: /keyed-hash TPM keys are not supported; make an RSA or EC key/ },
    { name: "an unsupported digest", privateKey: "handle:0x81000107", flags: [...NONE, "--digest", "SHA512"], message: /the key signs only SHA-256 digests, not SHA-512; set --digest/ },
    { name: "another key's certificate", privateKey: "handle:0x81000101", flags: [...NONE, "--certificate", maker.path("other.crt")], message: /does not belong to the certificate/ },

    // passwords
    { name: "a wrong password", privateKey: "handle:0x81000102", flags: ["--tpm-key-password", "hunter2"], counted: 1, message: /wrong password for the TPM key handle:0x81000102; check --tpm-key-password; 2 more wrong passwords lock the TPM$/m },
    { name: "no password for a key that has one", privateKey: "handle:0x81000102", flags: NONE, counted: 1, message: /has a password; set --tpm-key-password .* instead of --no-tpm-key-password; one more wrong password locks the TPM$/m },
    { name: "a wrong password that is not counted", privateKey: "handle:0x81000103", flags: ["--tpm-key-password", "hunter2"], message: /check --tpm-key-password; this attempt does not count towards the lockout$/m },
    { name: "a handle, without a terminal", privateKey: "handle:0x81000101", message: /needs a password, but no terminal is available for a prompt; set --tpm-key-password \(env:NAME, file:PATH or fd:N\), or --no-tpm-key-password if it has none/ },
    { name: "a file whose key has a password, without a terminal", privateKey: maker.tss2("pw", { parent: 0x81000001 }), message: /the TPM key in .*pw\.tss2 needs a password/ },
    { name: "a too long password", privateKey: "handle:0x81000102", flags: ["--tpm-key-password", "hunter2".repeat(5)], message: /is longer than the maximum of 32 bytes; check --tpm-key-password/ },
    { name: "a key that declares an empty password, with one try left", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x81000001 }, "declares.tss2"), message: /declares\.tss2 may have a password, and one more wrong password locks the TPM; set --tpm-key-password \(pass: for none\)/ },
    { name: "a parent that may have a password, with one try left", privateKey: maker.tss2("p3", { ...EMPTY, parent: 0x81000003 }), message: /may have a password, and one more wrong password locks the TPM; set --tpm-parent-password/ },
    { name: "a missing password of a parent", privateKey: maker.tss2("p2", { ...EMPTY, parent: 0x81000002 }), message: /the TPM key 0x81000002 \(the parent of .*p2\.tss2\) needs a password/ },
    { name: "a wrong password of a parent", privateKey: maker.path("p2.tss2"), flags: ["--tpm-parent-password", "hunter2"], message: /wrong password for the TPM key 0x81000002.*check --tpm-parent-password; this attempt does not count towards the lockout/ },
    { name: "a password for a hierarchy without one", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x40000001 }), flags: ["--tpm-parent-password", "hunter2"], message: /wrong password for the TPM's owner hierarchy; check --tpm-parent-password/ },

    // policies
    { name: "PCRs in another state", privateKey: guarded("bound", wrongPcr), message: /the PCRs are not in the state the key is bound to; compare them with tpm2_pcrread/ },
    { name: "a policy with an additional command", privateKey: guarded("bound", pcr, POLICY.signing), message: /the policy in the file does not satisfy the key/ },
    { name: "a policy for another locality", privateKey: guarded("three", POLICY.localityThree), message: /the key's policy requires a locality/ },
    { name: "a policy for another command", privateKey: guarded("code", POLICY.unsealing), message: /the key's policy does not allow the required command/ },
    { name: "a policy that needs another party", privateKey: guarded("bound", other), message: /requires PolicyAuthorize, which is not supported \(supported: PolicyAuthValue, .*PolicyPCR.*\)/ },
    { name: "an unknown policy command", privateKey: guarded("bound", { code: 0x1ff }), message: /the unknown command 0x1ff/ },
    { name: "truncated policy parameters", privateKey: guarded("bound", { code: 0x17f, parameters: pcr.parameters?.subarray(0, 20) ?? new Uint8Array(0) }), message: /the TPM key is malformed or damaged/ },
    { name: "a policy that the file does not list", privateKey: maker.tss2("bound", { ...EMPTY, parent: 0x81000001 }, "silent.tss2"), message: /the file does not list that policy/ },
    { name: "a handle of a key with a policy", privateKey: "handle:0x81000108", flags: NONE, message: /the key requires a policy, which a handle does not include; name its TSS2 file/ },

    // files
    { name: "a key of another TPM, same kind of parent", privateKey: foreign.tss2("ec", { ...EMPTY, parent: 0x81000001 }), message: /this TPM cannot load the key \(made by another TPM or under another parent/ },
    { name: "a private part with a wrong bit", privateKey: damage(maker, "ec", "priv"), message: /this TPM cannot load the key .* or file damaged\)/ },
    { name: "a public part with a wrong bit", privateKey: damage(maker, "ec", "pub"), message: /public and private parts of the key do not match|this TPM cannot load the key/ },
    { name: "a missing parent", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x81000077 }, "orphan.tss2"), message: /the key's parent is not in this TPM/ },
    { name: "a parent that is not a storage key", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x81000101 }, "child.tss2"), message: /its parent 0x81000101 is not a storage key/ },
    { name: "a parent handle of the wrong type", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x01800001 }, "nv.tss2"), message: /parent 0x1800001 is neither a hierarchy nor a persistent key/ },
    { name: "a parent of another hierarchy", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x4000000b }, "other.tss2"), message: /this TPM cannot load the key/ },
    { name: "sealed text that is not a key", privateKey: maker.tss2("sealed", { ...EMPTY, type: 5, parent: 0x81000001 }), message: /sealed\.tss2: the content is not one private key in DER or PEM/ },
    { name: "a sealed file that holds a signing key", privateKey: maker.tss2("ec", { ...EMPTY, type: 5, parent: 0x81000001 }, "unsealable.tss2"), message: /the file declares sealed data but contains a key/ },
    { name: "a key of an unknown type", privateKey: maker.tss2("ec", { ...EMPTY, type: 9, parent: 0x81000001 }, "type9.tss2"), message: /TPM keys of type 2\.23\.133\.10\.1\.9 are not supported/ },
    { name: "an importable key without its secret", privateKey: maker.tss2("ec", { ...EMPTY, type: 4, parent: 0x81000001 }, "type4.tss2"), message: /an importable key without its secret/ },
    { name: "two keys in one file", privateKey: maker.tpm.directory.write("two.pem", Deno.readTextFileSync(maker.path("p2.tss2")) + Deno.readTextFileSync(maker.path("p3.tss2"))), message: /two\.pem: the file holds 2 TPM keys; name the certificate of one/ },

    // TPM connections
    { name: "a machine without a TPM", privateKey: "handle:0x81000101", flags: NONE, env: {}, message: /no TPM found \(tried \/dev\/tpmrm0, \/dev\/tpm0, tabrmd\)/ },
    { name: "empty variables", privateKey: "handle:0x81000101", flags: NONE, env: { TPM2TOOLS_TCTI: "", TCTI: "", TPM_DEVICE: "" }, message: /no TPM found/ },
    { name: "a port without a TPM", privateKey: "handle:0x81000101", flags: NONE, env: { TCTI: "swtpm:host=127.0.0.1,port=9" }, message: /TCTI: no TPM responds at swtpm:host=127\.0\.0\.1,port=9/ },
    { name: "a TCTI module that is not installed", privateKey: "handle:0x81000101", flags: NONE, env: { TPM2TOOLS_TCTI: "nosuch:x=1" }, message: /TPM2TOOLS_TCTI: the TCTI module "nosuch" \(libtss2-tcti-nosuch\.so\.0\) is not installed; install tpm2-tss: / },
    { name: "a device that does not exist", privateKey: "handle:0x81000101", flags: NONE, env: { TPM_DEVICE: "/dev/tpmrm7" }, message: /TPM_DEVICE: \/dev\/tpmrm7 does not exist/ },
    { name: "a device that is not a TPM", privateKey: "handle:0x81000101", flags: NONE, env: { TPM_DEVICE: "/dev/null" }, message: /the connection to the TPM failed|no TPM responds/ },
  ];
}
// deno-fmt-ignore-end

Deno.test("sign-string rejects unusable TPM keys with a one-line message, and leaves the TPM empty", async (t) => {
  await using tpm = await SoftwareTpm.start();
  await using otherTpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  const foreign = new TpmKeyMaker(otherTpm);
  for (const each of [maker, foreign]) {
    await makeParents(each);
    await makeKeys(each);
  }
  const other = await createAuthority(tpm.directory, { subject: "/CN=other" });
  tpm.directory.write("other.crt", other.certificatePem);
  const rows = await makeRejections(maker, foreign);
  for (const rejection of rows) await t.step(rejection.name, () => assertRejected(tpm, rejection));
  assert(rows.length >= 45, "the table has lost rows");
});

testWith(
  ["other-user", "device-node"],
  "sign-string names the group if the user may not open the device",
  async () => {
    await using tpm = await SoftwareTpm.start();
    const device = tpm.directory.join("tpm0");
    // The numbers of /dev/null; nobody opens it.
    await runProgram("mknod", ["--mode=000", device, "c", "1", "3"]);
    Deno.chmodSync(tpm.directory.path, 0o755);
    // root can open every device
    using other = new OtherUser();
    const { code, stderr } = await other.run(
      ["sign-string", "--private-key", "handle:0x81000101", "--no-tpm-key-password"],
      { env: { TPM_DEVICE: device } },
    );
    assertEquals(code, 3);
    assertMatch(
      stderr,
      /TPM_DEVICE: .*tpm0 may not be used by this user; add the user to the group/,
    );
  },
);

Deno.test("sign-string advises how to start a TPM that has not been started", async () => {
  await using tpm = await SoftwareTpm.start("tcp", { startup: false });
  const { code, stderr } = await runBinary(
    ["sign-string", "--private-key", "handle:0x81000101", "--no-tpm-key-password"],
    { env: tpm.env },
  );
  assertEquals(code, 3);
  assertMatch(stderr, /the TPM has not been started by .*tpm2_startup --clear \(0x100\)\n$/);
});

Deno.test("a handle has no certificate: reading it and running with it fail", async () => {
  await using tpm = await SoftwareTpm.start();
  const read = await runBinary(["read-certificate-data", "--certificate", "handle:0x81000101"]);
  assertEquals([read.code, read.stdout], [3, ""]);
  assertMatch(
    read.stderr,
    /handle:0x81000101: a TPM handle has no certificate; name the certificate's file/,
  );
  const { code, stderr } = await runBinary(
    ["sign-string", "--certificate", "handle:0x81000101", "--private-key", "handle:0x81000101"],
    { env: tpm.env },
  );
  assertEquals(code, 3);
  assertMatch(stderr, /a TPM handle has no certificate/);
});

for (
  const [variable, prefix] of [["TPM_DEVICE", ""], ["TPM2TOOLS_TCTI", "device:"], [
    "TCTI",
    "libtss2-tcti-device.so.0:",
  ]] as const
) {
  testWith(["swtpm"], `a file that ${variable} names is not changed`, async () => {
    using directory = new TemporaryDirectory();
    const file = directory.write("file", "x".repeat(200));
    const { code, stdout, stderr } = await runBinary(
      ["sign-string", "--private-key", "handle:0x81000001", ...NONE],
      { env: { [variable]: `${prefix}${file}` } },
    );
    assertEquals({ code, stdout }, { code: 3, stdout: "" });
    assertEquals(
      stderr,
      `aws_signing_helper: ${variable}: ${file} is not a device; name a TPM device or the socket of an emulator\n`,
    );
    assertEquals(Deno.readTextFileSync(file), "x".repeat(200));
  });
}
