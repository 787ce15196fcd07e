import { assertEquals } from "@std/assert";
import type { Digest, Signer } from "../../../src/keystore/types.ts";
import { createAuthority, issueCertificate } from "../../support/certificates.ts";
import { openssl } from "../../support/openssl.ts";
import { PIN, SoftHsm } from "../../support/soft_hsm.ts";
import { type Given, loadedKeystore, scriptedContext, uriOf } from "./keystore_context.ts";
import { VARIANTS } from "./variants.ts";

const KEY_TYPES = ["rsa-2048", "rsa-4096", "ec-p256", "ec-p384", "ec-p521"] as const;
const DIGESTS: readonly (readonly [Digest, string])[] = [
  ["SHA-256", "-sha256"],
  ["SHA-384", "-sha384"],
  ["SHA-512", "-sha512"],
];
const MESSAGE = new TextEncoder().encode("AWS4-X509-… a string to sign");

/** A token with a key and certificate of each type, the key stored once more as always-authenticate. */
async function fillToken() {
  const hsm = new SoftHsm();
  const token = await hsm.token("signing");
  const authority = await createAuthority(hsm.directory, { subject: "/CN=Authority" });
  const certificatePaths = new Map<string, string>();
  for (const [i, keyType] of KEY_TYPES.entries()) {
    const subject = `/CN=${keyType}`;
    const { certificatePath, keyPath } = await issueCertificate(authority, { subject, keyType });
    for (const alwaysAuthenticate of [false, true]) {
      const id = `${i}${alwaysAuthenticate ? 1 : 0}`;
      const label = alwaysAuthenticate ? `${keyType} always` : keyType;
      await token.importKey(keyPath, { id, label, alwaysAuthenticate });
      await token.importCertificate(certificatePath, { id, label });
    }
    certificatePaths.set(keyType, certificatePath);
  }
  return { hsm, certificatePaths };
}

const { hsm, certificatePaths } = await fillToken();
globalThis.addEventListener("unload", () => hsm[Symbol.dispose]());

/** What openssl says about a signature. */
async function verdict(keyType: string, option: string, signature: Uint8Array): Promise<string> {
  const certificate = certificatePaths.get(keyType) ?? "";
  const publicKey = await openssl(["x509", "-in", certificate, "-noout", "-pubkey"]);
  const keyPath = hsm.directory.write("public.pem", publicKey);
  const signaturePath = hsm.directory.write("signature", signature);
  const args = ["dgst", option, "-verify", keyPath, "-signature", signaturePath];
  return new TextDecoder().decode(await openssl(args, { stdin: MESSAGE, allowFailure: true }))
    .trim();
}

for (const { name, module, layout } of VARIANTS) {
  const keystore = await loadedKeystore({ name, module, layout }, hsm);
  const open = (uri: string, given: Given = {}): Promise<Signer> =>
    keystore.openKey(uriOf(uri), scriptedContext({ module, ...given }));

  for (const keyType of KEY_TYPES) {
    Deno.test(`${name}: a signer's signatures are openssl's when the key is ${keyType}`, async () => {
      using _ = hsm.enter();
      const object = `pkcs11:token=signing;object=${keyType}`;
      await using ordinary = await open(`${object}?pin-value=${PIN}`);
      await using always = await open(`${object}%20always?pin-value=${PIN}`, { reusePin: true });
      for (const [digest, option] of DIGESTS) {
        for (const signer of [ordinary, always]) {
          const signature = await signer.sign(MESSAGE, digest);
          assertEquals(await verdict(keyType, option, signature), "Verified OK");
        }
      }
    });
  }
}
