import { NO_PASSWORD, PASSWORD, type TpmKeyCase, type TpmKeyMaker } from "./key_maker.ts";

/** Makes keys in the TPM. */
export async function makeHandleKeys(maker: TpmKeyMaker): Promise<TpmKeyCase[]> {
  await maker.make(`
    S=0x81000001
    child rsa $S -G rsa2048 -a "$SIGN"; persist rsa $S 0x81000101
    child p256pw $S -G ecc256 -a "$SIGN" -p keypw; persist p256pw $S 0x81000102
    child p384 $S -G ecc384 -a "$SIGN"; persist p384 $S 0x81000103
    child fixed $S -G rsa2048:rsassa-sha256:null -a "$SIGN|noda" -p keypw; persist fixed $S 0x81000104
    child wide $S -G ecc256:ecdsa-sha384:null -a "$SIGN"; persist wide $S 0x8100ABCD
    child restricted $S -G ecc256:ecdsa-sha256:null -a "$SIGN|restricted"
    persist restricted $S 0x81000106
    child p521 $S -G ecc521 -a "$SIGN"; persist p521 $S 0x81000107
    child parentpw 0x81000002 -P parentpw -G ecc256 -a "$SIGN" -p keypw
    persist parentpw 0x81000002 0x81000108 -P parentpw
    child transient $S -G ecc256 -a "$SIGN" -p keypw`);
  const sha256 = { digests: ["SHA256"] };
  return [
    maker.handle("RSA-2048", "0x81000101", NO_PASSWORD, "rsa"),
    maker.handle("RSA-2048, an empty password", "81000101", ["--tpm-key-password", "pass:"], "rsa"),
    maker.handle("P-256 with password", "0X81000102", PASSWORD, "p256pw"),
    maker.handle("P-384", "81000103", NO_PASSWORD, "p384"),
    {
      ...maker.handle("RSA with a fixed scheme", "0x81000104", PASSWORD, "fixed"),
      ...sha256,
    },
    maker.handle("P-256 with the scheme of SHA-384", "0x8100abcd", NO_PASSWORD, "wide"),
    {
      ...maker.handle("a restricted key", "0x81000106", NO_PASSWORD, "restricted"),
      ...sha256,
    },
    maker.handle("P-521", "0x81000107", NO_PASSWORD, "p521"),
    maker.handle("a key whose parent has a password", "0x81000108", PASSWORD, "parentpw"),
  ];
}
