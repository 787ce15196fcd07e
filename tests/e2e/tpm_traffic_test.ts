import { assert, assertEquals } from "@std/assert";
import { runBinary } from "../support/binary.ts";
import { makeParents, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import { POLICY } from "../support/tpm/policy_keys.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";
import { COMMAND, TpmProxy } from "../support/tpm/tpm_proxy.ts";

const KEY_PASSWORD = "a key's own password";
const PARENT_PASSWORD = "the parent's password";
const OWNER_PASSWORD = "the owner's password";
const WRONG_PASSWORD = "not any password here";
const bytes = (text: string) => new TextEncoder().encode(text);

async function makeKeys(tpm: SoftwareTpm): Promise<Record<string, string>> {
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    K="${KEY_PASSWORD}" P="${PARENT_PASSWORD}"
    primary p4 o ecc256:aes128cfb -p "$P"; tpm2_evictcontrol -Q -C o -c p4.ctx 0x81000004
    child handle 0x81000001 -G ecc256 -a "$SIGN|noda" -p "$K"; persist handle 0x81000001 0x81000101
    child file 0x81000004 -P "$P" -G ecc256 -a "$SIGN|noda" -p "$K"
    policy word sha256 policypassword
    child word 0x81000001 -G ecc256 -a "$BOUND|noda" -L word.policy -p "$K"
    primary own o ecc256:aes128cfb; child owned own.ctx -G ecc256 -a "$SIGN|noda" -p "$K"
    openssl ecparam -name prime256v1 -genkey -noout | openssl ec -outform DER -out key.der 2>/dev/null
    child sealed 0x81000001 -i key.der -a 'fixedtpm|fixedparent|userwithauth'
    tpm2_changeauth -Q -c owner "${OWNER_PASSWORD}"`);
  return {
    handle: "handle:0x81000101",
    file: maker.tss2("file", { parent: 0x81000004 }),
    word: maker.tss2("word", { parent: 0x81000001, policy: [POLICY.password] }),
    owned: maker.tss2("owned", { parent: 0x40000001 }),
    sealed: maker.tss2("sealed", { parent: 0x81000001, type: 5, emptyAuth: 0xff }),
  };
}

Deno.test("passwords and sealed keys are never sent in the clear between the program and the TPM", async (t) => {
  await using tpm = await SoftwareTpm.start();
  const keys = await makeKeys(tpm);
  const sealed = tpm.directory.join("key.der");
  const secrets = [KEY_PASSWORD, PARENT_PASSWORD, OWNER_PASSWORD, WRONG_PASSWORD].map(bytes);
  const scalar = Deno.readFileSync(sealed).subarray(7, 39);
  const rows: readonly (readonly [name: string, flags: readonly string[], code: number])[] = [
    ["handle", ["--tpm-key-password", KEY_PASSWORD], 0],
    ["handle", ["--tpm-key-password", WRONG_PASSWORD], 3],
    ["file", ["--tpm-key-password", KEY_PASSWORD, "--tpm-parent-password", PARENT_PASSWORD], 0],
    ["file", ["--tpm-key-password", KEY_PASSWORD, "--tpm-parent-password", WRONG_PASSWORD], 3],
    ["word", ["--tpm-key-password", KEY_PASSWORD], 0],
    ["owned", ["--tpm-key-password", KEY_PASSWORD, "--tpm-parent-password", OWNER_PASSWORD], 0],
    ["sealed", [], 0],
  ];
  for (const [name, flags, code] of rows) {
    await t.step(`${name}, ${code === 0 ? "right" : "wrong"}`, async () => {
      await using proxy = TpmProxy.start(tpm);
      const result = await runBinary(
        ["sign-string", "--private-key", keys[name] ?? "", ...flags],
        { env: proxy.env },
      );
      assertEquals({ code: result.code }, { code }, result.stderr);
      assert(proxy.commands.length >= 3, "the proxy recorded too few commands");
      for (const secret of [...secrets, scalar]) assert(!proxy.contains(secret), "in the clear");
      assertEquals(await tpm.listLeftovers(), []);
    });
  }
});

/** Returns a TPM2_Sign command for handle 0x81000101 with its password in a TPM_RS_PW session. */
function signInTheClear(password: string): Uint8Array {
  const session = [0x40, 0, 0, 9, 0, 0, 0, 0, password.length, ...bytes(password)];
  const digest = [0, 32, ...new Uint8Array(32)];
  const scheme = [0, 0x18, 0, 0x0b];
  const ticket = [0x80, 0x24, 0x40, 0, 0, 7, 0, 0];
  const parameters = [0, 0, 0, session.length, ...session, ...digest, ...scheme, ...ticket];
  const length = 14 + parameters.length;
  // deno-fmt-ignore
  return Uint8Array.from([
    0x80, 0x02, 0, 0, 0, length, 0, 0, 0x01, 0x5d, 0x81, 0, 0x01, 0x01, ...parameters,
  ]);
}

Deno.test("the proxy records a password that is sent in the clear", async () => {
  await using tpm = await SoftwareTpm.start();
  await makeKeys(tpm);
  await using proxy = TpmProxy.start(tpm);
  const { TPM2TOOLS_TCTI = "" } = proxy.env;
  const command = tpm.directory.write("command", signInTheClear(KEY_PASSWORD));
  await tpm.script(`TPM2TOOLS_TCTI=${TPM2TOOLS_TCTI} tpm2_send -o response ${command}`);
  const response = Deno.readFileSync(tpm.directory.join("response"));
  assertEquals([...response.subarray(6, 10)], [0, 0, 0, 0], "the TPM did not sign");
  assertEquals(proxy.commands, [COMMAND.sign]);
  assert(proxy.contains(bytes(KEY_PASSWORD)));
});
