import { assert, assertEquals, assertMatch } from "@std/assert";
import { runBinary } from "../support/binary.ts";
import { createAuthority } from "../support/certificates.ts";
import { testWith } from "../support/needs.ts";
import { OtherUser } from "../support/other_user.ts";
import { makeParents, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import { POLICY, policyPcr } from "../support/tpm/policy_keys.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";
import type { PolicyEntry } from "../support/tpm/tss2_pem.ts";

interface Refusal {
  readonly name: string;
  readonly privateKey: string;
  readonly flags?: readonly string[];
  /** Default 3. */
  readonly code?: number;
  readonly says: RegExp;
  /** Wrong passwords that the TPM counts. */
  readonly counted?: number;
  /** In place of the TPM's own. */
  readonly env?: Readonly<Record<string, string>>;
}

const NONE = ["--no-tpm-key-password"];
const EMPTY = { emptyAuth: 0xff };
const SECRETS = ["keypw", "parentpw", "hunter2"];

async function assertRefused(tpm: SoftwareTpm, refusal: Refusal): Promise<void> {
  const before = await tpm.failedTries();
  const { code, stdout, stderr } = await runBinary(
    ["sign-string", "--private-key", refusal.privateKey, ...refusal.flags ?? []],
    { env: refusal.env ?? tpm.env },
  );
  assertMatch(stderr, refusal.says);
  assertMatch(stderr, /^aws_signing_helper: [^\n]+\n$/, "one line");
  assertEquals({ code, stdout }, { code: refusal.code ?? 3, stdout: "" });
  for (const secret of SECRETS) assert(!stderr.includes(secret), "a secret on standard error");
  assertEquals(await tpm.leftovers(), []);
  assertEquals(await tpm.failedTries() - before, refusal.counted ?? 0, "counted tries");
}

/** Changes one bit of a file from the end. */
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
    printf 'no key at all' >words; child sealed $S -i words -a 'fixedtpm|fixedparent|userwithauth|noda'`);
}

// deno-fmt-ignore-start: a table, one line a row
async function refusals(maker: TpmKeyMaker, foreign: TpmKeyMaker): Promise<Refusal[]> {
  const pcr = await policyPcr(maker.read("pcrs"));
  const wrongPcr = await policyPcr(Uint8Array.from(maker.read("pcrs"), (byte, i) => i === 3 ? byte ^ 1 : byte));
  const guarded = (name: string, ...policy: PolicyEntry[]) =>
    maker.tss2(name, { ...EMPTY, policy, parent: 0x81000001 }, `${name}-${policy.map(({ code }) => code).join("-")}-${policy[0]?.parameters?.[5]}.tss2`);
  const other = { code: 0x16a, parameters: new Uint8Array(8) };
  return [
    // which key
    { name: "a handle that holds nothing", privateKey: "handle:0x81000999", flags: NONE, says: /handle:0x81000999: the TPM holds no key at this handle; tpm2_getcap handles-persistent/ },
    { name: "a transient handle that holds nothing", privateKey: "handle:0x80000001", flags: NONE, says: /handle:0x80000001: the TPM holds no key at this handle/ },
    { name: "an NV index", privateKey: "handle:0x01800001", code: 2, says: /handle of an NV index; handles of keys begin with 81/ },
    { name: "a hierarchy", privateKey: "handle:0x40000001", code: 2, says: /handle of a hierarchy/ },
    { name: "a handle as openssl's provider takes it", privateKey: "handle:0x81000101?pass", code: 2, says: /is not a TPM handle; write eight hexadecimal digits/ },
    { name: "a file's name for a handle", privateKey: "handle:key.pem", code: 2, says: /handle:key\.pem is not a TPM handle/ },
    { name: "a storage key", privateKey: "handle:0x81000001", flags: NONE, says: /it is no signing key \(its attributes lack sign\)/ },
    { name: "a decryption key", privateKey: "handle:0x81000104", flags: NONE, says: /it is no signing key/ },
    { name: "an RSA-PSS key", privateKey: "handle:0x81000105", flags: NONE, says: /it signs with RSA-PSS alone; IAM Roles Anywhere needs PKCS#1/ },
    { name: "an ECDAA key", privateKey: "handle:0x81000109", flags: NONE, says: /it signs with ECDAA alone/ },
    { name: "an HMAC key", privateKey: "handle:0x81000106", flags: NONE, says: /keyed-hash TPM keys cannot be used; make an RSA or EC key/ },
    { name: "a digest that the key does not sign", privateKey: "handle:0x81000107", flags: [...NONE, "--digest", "SHA512"], says: /it signs SHA-256 digests alone, not SHA-512 ones/ },
    { name: "another key's certificate", privateKey: "handle:0x81000101", flags: [...NONE, "--certificate", maker.path("other.crt")], says: /does not belong to the certificate/ },

    // passwords
    { name: "a wrong password", privateKey: "handle:0x81000102", flags: ["--tpm-key-password", "hunter2"], counted: 1, says: /the password given is not that of the TPM key handle:0x81000102; check --tpm-key-password; 2 more wrong passwords lock the TPM$/m },
    { name: "no password for a key that has one", privateKey: "handle:0x81000102", flags: NONE, counted: 1, says: /has a password; give it with --tpm-key-password .* in place of --no-tpm-key-password; one more wrong password locks the TPM$/m },
    { name: "a wrong password that is not counted", privateKey: "handle:0x81000103", flags: ["--tpm-key-password", "hunter2"], says: /check --tpm-key-password; such a try is not counted$/m },
    { name: "a handle, and nobody to ask", privateKey: "handle:0x81000101", says: /needs a password and there is no terminal to ask for it; give it with --tpm-key-password \(env:NAME, file:PATH or fd:N\), or --no-tpm-key-password if it has none/ },
    { name: "a file whose key has a password, and nobody to ask", privateKey: maker.tss2("pw", { parent: 0x81000001 }), says: /the TPM key in .*pw\.tss2 needs a password/ },
    { name: "a password longer than any", privateKey: "handle:0x81000102", flags: ["--tpm-key-password", "hunter2".repeat(5)], says: /is longer than the 32 bytes a TPM password has at most/ },
    { name: "a key that denies its password, when one try is left", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x81000001 }, "denies.tss2"), says: /denies\.tss2 may have a password, and one more wrong password locks the TPM; give it with --tpm-key-password \(pass: for none\)/ },
    { name: "a parent that may have a password, when one try is left", privateKey: maker.tss2("p3", { ...EMPTY, parent: 0x81000003 }), says: /may have a password, and one more wrong password locks the TPM; give it with --tpm-parent-password/ },
    { name: "a parent's password that nobody gives", privateKey: maker.tss2("p2", { ...EMPTY, parent: 0x81000002 }), says: /the TPM key 0x81000002 \(the parent of .*p2\.tss2\) needs a password/ },
    { name: "a parent's password that is wrong", privateKey: maker.path("p2.tss2"), flags: ["--tpm-parent-password", "hunter2"], says: /the password given is not that of the TPM key 0x81000002.*check --tpm-parent-password; such a try is not counted/ },
    { name: "a hierarchy's password where there is none", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x40000001 }), flags: ["--tpm-parent-password", "hunter2"], says: /the password given is not that of the TPM's owner hierarchy; check --tpm-parent-password/ },

    // policies
    { name: "PCRs in another state", privateKey: guarded("bound", wrongPcr), says: /the PCRs are not in the state the key is bound to; compare them with tpm2_pcrread/ },
    { name: "a policy that lists too much", privateKey: guarded("bound", pcr, POLICY.signing), says: /the key's policy is not satisfied by what its file lists/ },
    { name: "a policy for another locality", privateKey: guarded("three", POLICY.localityThree), says: /the key's policy asks for another locality/ },
    { name: "a policy for another command", privateKey: guarded("code", POLICY.unsealing), says: /the key's policy allows another command than the one that is needed/ },
    { name: "a policy that needs somebody else", privateKey: guarded("bound", other), says: /asks for PolicyAuthorize, which cannot be satisfied here \(what can: PolicyAuthValue, .*PolicyPCR.*\)/ },
    { name: "a policy that nobody knows", privateKey: guarded("bound", { code: 0x1ff }), says: /the unknown command 0x1ff/ },
    { name: "a policy cut short", privateKey: guarded("bound", { code: 0x17f, parameters: pcr.parameters?.subarray(0, 20) ?? new Uint8Array(0) }), says: /malformed or damaged TPM key/ },
    { name: "a policy that the file does not list", privateKey: maker.tss2("bound", { ...EMPTY, parent: 0x81000001 }, "silent.tss2"), says: /the file does not list that policy/ },
    { name: "a handle of a key with a policy", privateKey: "handle:0x81000108", flags: NONE, says: /it may be used with a policy alone, which a handle does not tell; name its TSS2 file/ },

    // files
    { name: "a key of another TPM, same kind of parent", privateKey: foreign.tss2("ec", { ...EMPTY, parent: 0x81000001 }), says: /this TPM cannot open the key: another TPM or another parent made it/ },
    { name: "a private part with a wrong bit", privateKey: damage(maker, "ec", "priv"), says: /this TPM cannot open the key: .* or the file is damaged/ },
    { name: "a public part with a wrong bit", privateKey: damage(maker, "ec", "pub"), says: /public and the private part of the key do not belong together|this TPM cannot open the key/ },
    { name: "a parent that is not there", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x81000077 }, "orphan.tss2"), says: /the key's parent is not in this TPM/ },
    { name: "a parent that is no parent", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x81000101 }, "child.tss2"), says: /its parent 0x81000101 is no storage key/ },
    { name: "a parent that cannot be", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x01800001 }, "nv.tss2"), says: /parent 0x1800001 is neither a hierarchy nor a persistent key/ },
    { name: "a parent of another hierarchy", privateKey: maker.tss2("ec", { ...EMPTY, parent: 0x4000000b }, "other.tss2"), says: /this TPM cannot open the key/ },
    { name: "sealed words that are no key", privateKey: maker.tss2("sealed", { ...EMPTY, type: 5, parent: 0x81000001 }), says: /what .*sealed\.tss2 keeps is not one private key in DER or PEM/ },
    { name: "a sealed file that holds a signing key", privateKey: maker.tss2("ec", { ...EMPTY, type: 5, parent: 0x81000001 }, "unsealable.tss2"), says: /its file says that it is sealed data, and it is a key/ },
    { name: "a key of an unknown type", privateKey: maker.tss2("ec", { ...EMPTY, type: 9, parent: 0x81000001 }, "type9.tss2"), says: /TPM keys of the type 2\.23\.133\.10\.1\.9 cannot be used/ },
    { name: "an importable key without its secret", privateKey: maker.tss2("ec", { ...EMPTY, type: 4, parent: 0x81000001 }, "type4.tss2"), says: /an importable key without its secret/ },
    { name: "two keys in one file", privateKey: maker.tpm.directory.write("two.pem", Deno.readTextFileSync(maker.path("p2.tss2")) + Deno.readTextFileSync(maker.path("p3.tss2"))), says: /holds 2 TPM keys and it cannot be told which is meant/ },

    // where the TPM is
    { name: "no TPM at all", privateKey: "handle:0x81000101", flags: NONE, env: {}, says: /this machine shows no TPM \(neither \/dev\/tpmrm0 nor \/dev\/tpm0, nor the daemon tabrmd\)/ },
    { name: "an empty variable is no variable", privateKey: "handle:0x81000101", flags: NONE, env: { TPM2TOOLS_TCTI: "", TCTI: "", TPM_DEVICE: "" }, says: /this machine shows no TPM/ },
    { name: "nobody answers", privateKey: "handle:0x81000101", flags: NONE, env: { TCTI: "swtpm:host=127.0.0.1,port=9" }, says: /TCTI: no TPM answers at swtpm:host=127\.0\.0\.1,port=9/ },
    { name: "a TCTI module that is not installed", privateKey: "handle:0x81000101", flags: NONE, env: { TPM2TOOLS_TCTI: "nosuch:x=1" }, says: /TPM2TOOLS_TCTI: the TCTI module "nosuch" \(libtss2-tcti-nosuch\.so\.0\) is not installed; install tpm2-tss: / },
    { name: "a device that is not there", privateKey: "handle:0x81000101", flags: NONE, env: { TPM_DEVICE: "/dev/tpmrm7" }, says: /TPM_DEVICE: \/dev\/tpmrm7 does not exist/ },
    { name: "a device that is no TPM", privateKey: "handle:0x81000101", flags: NONE, env: { TPM_DEVICE: "/dev/null" }, says: /the connection to the TPM broke|no TPM answers/ },
  ];
}
// deno-fmt-ignore-end

Deno.test("sign-string says in one sentence why a TPM key cannot be used, and leaves nothing", async (t) => {
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
  const rows = await refusals(maker, foreign);
  for (const refusal of rows) await t.step(refusal.name, () => assertRefused(tpm, refusal));
  assert(rows.length >= 45, "the table has lost rows");
});

testWith(
  ["other-user"],
  "sign-string refuses a device that its user may not open, naming the group",
  async () => {
    await using tpm = await SoftwareTpm.start();
    const device = tpm.directory.write("tpm0", "", 0o000);
    Deno.chmodSync(tpm.directory.path, 0o755);
    // root may open anything
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

Deno.test("sign-string says what to do with a TPM that has not been started", async () => {
  await using tpm = await SoftwareTpm.start("tcp", { startup: false });
  const { code, stderr } = await runBinary(
    ["sign-string", "--private-key", "handle:0x81000101", "--no-tpm-key-password"],
    { env: tpm.env },
  );
  assertEquals(code, 3);
  assertMatch(stderr, /the TPM has not been started; .*tpm2_startup --clear \(0x100\)\n$/);
});

Deno.test("a handle has no certificate: reading one and running without one say so", async () => {
  await using tpm = await SoftwareTpm.start();
  const read = await runBinary(["read-certificate-data", "--certificate", "handle:0x81000101"]);
  assertEquals([read.code, read.stdout], [3, ""]);
  assertMatch(
    read.stderr,
    /names a key in the TPM, which holds no certificate; name the certificate's file/,
  );
  const { code, stderr } = await runBinary(
    ["sign-string", "--certificate", "handle:0x81000101", "--private-key", "handle:0x81000101"],
    { env: tpm.env },
  );
  assertEquals(code, 3);
  assertMatch(stderr, /which holds no certificate/);
});
