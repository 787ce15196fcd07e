import { PARENT_PASSWORD, PASSWORD, type TpmKeyCase, type TpmKeyMaker } from "./key_maker.ts";
import type { PolicyEntry } from "./tss2_pem.ts";

const u32 = (value: number) =>
  [value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 255);
/** TPML_PCR_SELECTION: sha256, PCRs 0, 7 and 16. */
const SELECTION = [...u32(1), 0x00, 0x0b, 3, 0x81, 0x00, 0x01];

/** Returns PolicyPCR for the output of `tpm2_pcrread -o`. */
export async function policyPcr(
  values: Uint8Array,
  hash: "SHA-256" | "SHA-384" = "SHA-256",
): Promise<PolicyEntry & { readonly digest: Uint8Array }> {
  const digest = new Uint8Array(await crypto.subtle.digest(hash, Uint8Array.from(values)));
  const parameters = Uint8Array.from([0, digest.length, ...digest, ...SELECTION]);
  return { code: 0x17f, parameters, digest };
}

/** Policy commands with short or empty parameters. */
export const POLICY = {
  authValue: { code: 0x16b },
  password: { code: 0x18c },
  signing: { code: 0x16c, parameters: Uint8Array.from(u32(0x15d)) },
  unsealing: { code: 0x16c, parameters: Uint8Array.from(u32(0x15e)) },
  localityZero: { code: 0x16f, parameters: Uint8Array.of(0x01) },
  localityThree: { code: 0x16f, parameters: Uint8Array.of(0x08) },
} as const satisfies Record<string, PolicyEntry>;

/** Makes keys that require a policy. */
export async function makePolicyKeys(maker: TpmKeyMaker): Promise<TpmKeyCase[]> {
  await maker.make(`
    S=0x81000001; L=sha256:0,7,16
    tpm2_pcrread -Q $L -o pcrs
    policy pcr sha256 policypcr -l $L; child y-pcr $S -G ecc256 -a "$BOUND" -L pcr.policy
    policy pcr3 sha384 policypcr -l $L
    child y-pcr3 $S -G ecc384 -g sha384 -a "$BOUND" -L pcr3.policy
    policy auth sha256 policyauthvalue; child y-auth $S -G ecc256 -a "$BOUND" -L auth.policy -p keypw
    policy word sha256 policypassword; child y-word $S -G rsa2048 -a "$BOUND" -L word.policy -p keypw
    policy code sha256 policycommandcode TPM2_CC_Sign
    child y-code $S -G ecc256 -a "$BOUND" -L code.policy
    policy zero sha256 policylocality zero; child y-zero $S -G ecc256 -a "$BOUND" -L zero.policy
    policy all sha256 policypcr -l $L -- policyauthvalue -- policycommandcode TPM2_CC_Sign
    child y-all 0x81000002 -P parentpw -G ecc256 -a "$BOUND" -L all.policy -p keypw`);
  const pcr = await policyPcr(maker.read("pcrs"));
  const bare = { ...pcr, parameters: Uint8Array.from([...SELECTION, ...pcr.digest]) };
  const file = (
    name: string,
    key: string,
    policy: readonly PolicyEntry[],
    flags: readonly string[] = [],
    parent = 0x81000001,
  ) => {
    const empty = flags.length === 0 ? { emptyAuth: 0xff } : {};
    const path = maker.tss2(key, { ...empty, policy, parent }, `${name}.tss2`);
    return maker.file(name, path, flags, `${key}.pem`);
  };
  return [
    file("PolicyPCR", "y-pcr", [pcr]),
    file("PolicyPCR, selection first", "y-pcr", [bare]),
    file("PolicyPCR, named by SHA-384", "y-pcr3", [await policyPcr(maker.read("pcrs"), "SHA-384")]),
    file("PolicyAuthValue", "y-auth", [POLICY.authValue], PASSWORD),
    file("PolicyPassword", "y-word", [POLICY.password], PASSWORD),
    file("PolicyCommandCode", "y-code", [POLICY.signing]),
    file("PolicyLocality", "y-zero", [POLICY.localityZero]),
    file(
      "PolicyPCR, PolicyAuthValue and PolicyCommandCode",
      "y-all",
      [pcr, POLICY.authValue, POLICY.signing],
      [...PASSWORD, ...PARENT_PASSWORD],
      0x81000002,
    ),
  ];
}
