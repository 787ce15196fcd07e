import { PARENT_PASSWORD, PASSWORD, type TpmKeyCase, type TpmKeyMaker } from "./key_maker.ts";

/** Makes key files with the tpm2 provider of openssl. */
export async function makeProviderKeys(maker: TpmKeyMaker): Promise<TpmKeyCase[]> {
  await maker.make(`
    export TPM2OPENSSL_TCTI=$TPM2TOOLS_TCTI
    genpkey() { n=$1; shift; openssl genpkey -provider tpm2 -out "$n.tss2" "$@" 2>&1 && pub "$n"; }
    pub() { case $n in *auth) return ;; esac; openssl pkey -provider tpm2 -provider default \\
      -propquery '?provider=tpm2' -in "$n.tss2" -passin pass:keypw -pubout -out "$n.pem"; }
    genpkey o-rsa -algorithm RSA -pkeyopt bits:2048
    genpkey o-rsa3 -algorithm RSA -pkeyopt bits:3072
    genpkey o-p256 -algorithm EC -pkeyopt group:P-256
    genpkey o-p384pw -algorithm EC -pkeyopt group:P-384 -pkeyopt user-auth:keypw
    genpkey o-parent -algorithm EC -pkeyopt group:P-256 -pkeyopt parent:0x81000001
    genpkey o-bothauth -algorithm EC -pkeyopt group:P-256 -pkeyopt parent:0x81000002 \\
      -pkeyopt parent-auth:parentpw -pkeyopt user-auth:keypw`);
  const file = (name: string, key: string, flags: readonly string[], pem = key) =>
    maker.file(name, maker.path(`${key}.tss2`), flags, `${pem}.pem`);
  writePublicKeyOf(maker, "o-bothauth");
  return [
    file("RSA-2048 file by openssl", "o-rsa", []),
    file("RSA-3072 file by openssl", "o-rsa3", []),
    file("P-256 file by openssl", "o-p256", []),
    file("P-384 file by openssl, with password", "o-p384pw", PASSWORD),
    file("P-256 file by openssl, persistent parent", "o-parent", []),
    file("P-256 file by openssl, both passwords", "o-bothauth", [...PASSWORD, ...PARENT_PASSWORD]),
  ];
}

/** Writes the public key of a file that the provider cannot open with two passwords. */
function writePublicKeyOf(maker: TpmKeyMaker, name: string): void {
  const text = Deno.readTextFileSync(maker.path(`${name}.tss2`));
  const der = Uint8Array.from(
    atob(text.replaceAll(/-----[^-]+-----|\s/g, "")),
    (c) => c.charCodeAt(0),
  );
  // An unrestricted P-256 key without scheme: its point is the last thing in its public area.
  const type = [0x00, 0x56, 0x00, 0x23, 0x00, 0x0b];
  const at = der.findIndex((_, i) => type.every((byte, j) => der[i + j] === byte));
  const area = der.subarray(at, at + 0x58);
  const x = area.subarray(-66, -34);
  const y = area.subarray(-32);
  const prefix = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
  const info = [...prefix.matchAll(/../g)].map(([byte]) => parseInt(byte, 16));
  const base64 = btoa(String.fromCharCode(...info, ...x, ...y));
  maker.tpm.directory.write(
    `${name}.pem`,
    `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`,
  );
}
