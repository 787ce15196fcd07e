import { PARENT_PASSWORD, PASSWORD, type TpmKeyCase, type TpmKeyMaker } from "./key_maker.ts";
import { POLICY, policyPcr } from "./policy_keys.ts";
import type { Tss2PemRequest } from "./tss2_pem.ts";

/** Makes private keys sealed by the TPM. */
export async function makeSealedKeys(maker: TpmKeyMaker): Promise<TpmKeyCase[]> {
  await maker.make(`
    S=0x81000001; HOLD='fixedtpm|fixedparent'
    openssl ecparam -name prime256v1 -genkey -noout -out s256.key
    openssl ec -in s256.key -outform DER -out s256.sec1 2>/dev/null
    openssl ecparam -name secp384r1 -genkey -noout |
      openssl ec -no_public -outform DER -out s384.der 2>/dev/null
    openssl pkey -in s384.der -inform DER -pubout -out s384.pem
    openssl pkcs8 -topk8 -nocrypt -in s384.der -inform DER -outform DER -out s384.full
    openssl pkey -in s256.key -pubout -out s256.pem
    child s-plain $S -i s256.sec1 -a "$HOLD|userwithauth"
    child s-pw $S -i s384.der -a "$HOLD|userwithauth" -p keypw
    child s-pcr 0x81000002 -P parentpw -i s256.sec1 -a "$HOLD" -L pcr.policy
    policy unseal sha256 policyauthvalue -- policycommandcode TPM2_CC_Unseal
    child s-code $S -i s256.sec1 -a "$HOLD" -L unseal.policy -p keypw`);
  const pcr = await policyPcr(maker.read("pcrs"));
  const file = (
    name: string,
    key: string,
    pem: string,
    request: Partial<Tss2PemRequest>,
    flags: readonly string[] = [],
  ) => {
    const path = maker.tss2(key, { type: 5, parent: 0x81000001, ...request }, `${name}.tss2`);
    return maker.file(name, path, flags, pem);
  };
  return [
    file("sealed", "s-plain", "s256.pem", { emptyAuth: 0xff }),
    file("sealed, in a file with the type of a loadable key", "s-plain", "s256.pem", {
      type: 3,
      emptyAuth: 1,
    }),
    file("sealed with password", "s-pw", "s384.pem", {}, PASSWORD),
    file(
      "sealed with PolicyPCR under a parent with password",
      "s-pcr",
      "s256.pem",
      { emptyAuth: 0xff, policy: [pcr], parent: 0x81000002 },
      PARENT_PASSWORD,
    ),
    file(
      "sealed with PolicyAuthValue and PolicyCommandCode",
      "s-code",
      "s256.pem",
      { policy: [POLICY.authValue, POLICY.unsealing] },
      PASSWORD,
    ),
  ];
}
