import {
  NO_PASSWORD,
  OWNER,
  PARENT_PASSWORD,
  PASSWORD,
  type TpmKeyCase,
  type TpmKeyMaker,
} from "./key_maker.ts";
import { keyBlobPem } from "./tss2_pem.ts";

/** Makes keys in files under every kind of parent, and with every optional field. */
export async function makeFileKeys(maker: TpmKeyMaker): Promise<TpmKeyCase[]> {
  await maker.make(`
    for h in o e p n; do
      primary h-$h $h ecc256:aes128cfb; child f-$h h-$h.ctx -G ecc256 -a "$SIGN"
    done
    primary h-rsa o rsa2048:aes128cfb; child f-rsaparent h-rsa.ctx -G ecc256 -a "$SIGN"
    child f-p3 0x81000003 -G rsa2048 -a "$SIGN"
    child f-p2 0x81000002 -P parentpw -G ecc256 -a "$SIGN"
    child f-pw 0x81000001 -G rsa2048 -a "$SIGN|noda" -p keypw
    tpm2_readpublic -Q -c 0x81000001 -o srk.public; tpm2_readpublic -Q -c 0x81000002 -o p2.public
    openssl ecparam -name prime256v1 -genkey -noout -out i-ec.key
    openssl genrsa -traditional -out i-rsa.key 2048 2>&1
    for k in ec rsa; do
      openssl pkey -in i-$k.key -pubout -out i-$k.pem
      tpm2_duplicate -Q --tcti none -U srk.public -G $([ $k = ec ] && echo ecc || echo rsa) \\
        -k i-$k.key -u i-$k.pub -r i-$k.priv -s i-$k.seed
    done
    tpm2_duplicate -Q --tcti none -U p2.public -G ecc -k i-ec.key -p keypw \\
      -u i-pw.pub -r i-pw.priv -s i-pw.seed`);
  const file = (
    name: string,
    key: string,
    request: Parameters<TpmKeyMaker["tss2"]>[1],
    flags: readonly string[] = [],
    pem = key,
  ) => maker.file(name, maker.tss2(key, request, `${name}.tss2`), flags, `${pem}.pem`);
  const blob = (
    name: string,
    key: string,
    request: { emptyAuth?: number; parent?: number },
    flags: readonly string[] = [],
  ) => {
    const [publicArea, privateArea] = [maker.read(`${key}.pub`), maker.read(`${key}.priv`)];
    const path = `${name.replaceAll(" ", "-")}.pem`;
    const pem = keyBlobPem({ ...request, publicArea, privateArea });
    return maker.file(name, maker.tpm.directory.write(path, pem), flags, `${key}.pem`);
  };
  const seed = (name: string) => ({ type: 4, secret: maker.read(`${name}.seed`) });
  const empty = { emptyAuth: 0xff };
  return [
    file("file under the owner hierarchy", "f-o", { ...empty, parent: OWNER }),
    file("file without a parent, with a description and later fields", "f-o", {
      emptyAuth: 0x01,
      description: "signs for build-server-1",
      later: { 6: Uint8Array.of(0x04, 0x01, 0x00), 9: Uint8Array.of(0x05, 0x00) },
      parent: 0,
    }),
    file("file without emptyAuth, with the flag", "f-o", { parent: OWNER }, NO_PASSWORD),
    blob("old key blob under the owner hierarchy", "f-o", { emptyAuth: 0xff }),
    blob("old key blob under a persistent parent", "f-p3", { emptyAuth: 1, parent: 0x81000003 }),
    blob("old key blob with password", "f-pw", { parent: 0x81000001 }, PASSWORD),
    file("file under the endorsement hierarchy", "f-e", { ...empty, parent: 0x4000000b }),
    file("file under the platform hierarchy", "f-p", { ...empty, parent: 0x4000000c }),
    file("file under the null hierarchy", "f-n", { ...empty, parent: 0x40000007 }),
    file("file under an RSA primary key", "f-rsaparent", {
      ...empty,
      rsaParent: true,
      parent: OWNER,
    }),
    file("RSA file under a persistent RSA parent", "f-p3", { ...empty, parent: 0x81000003 }),
    file(
      "file whose parent has a password",
      "f-p2",
      { ...empty, parent: 0x81000002 },
      PARENT_PASSWORD,
    ),
    file("RSA file with password", "f-pw", { parent: 0x81000001 }, PASSWORD),
    file(
      "RSA file with password that declares an empty one",
      "f-pw",
      { ...empty, parent: 0x81000001 },
      PASSWORD,
    ),
    file("importable EC file", "i-ec", { ...seed("i-ec"), ...empty, parent: 0x81000001 }),
    file("importable RSA file", "i-rsa", { ...seed("i-rsa"), ...empty, parent: 0x81000001 }),
    file(
      "importable file, both passwords",
      "i-pw",
      { ...seed("i-pw"), parent: 0x81000002 },
      [...PASSWORD, ...PARENT_PASSWORD],
      "i-ec",
    ),
  ];
}
