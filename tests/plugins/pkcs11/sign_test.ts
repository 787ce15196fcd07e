import { assertEquals, assertRejects } from "@std/assert";
import { HelperError } from "../../../src/errors.ts";
import type { Signer } from "../../../src/keystore/types.ts";
import type { Digest } from "../../../src/x509/verify_signature.ts";
import { createAuthority, issueCertificate } from "../../support/certificates.ts";
import { openssl } from "../../support/openssl.ts";
import { PIN, SoftHsm } from "../../support/soft_hsm.ts";
import { type Script } from "../../support/scripted_context.ts";
import { loadedKeystore, moduleContext, parseUri } from "./keystore_context.ts";
import { VARIANTS } from "./variants.ts";
import { wrap, WRAPPERS, type WrapperSettings } from "./wrapper.ts";

const KEY_TYPES = ["rsa-2048", "rsa-4096", "ec-p256", "ec-p384", "ec-p521"] as const;
const DIGESTS: readonly (readonly [Digest, string])[] = [
  ["SHA-256", "-sha256"],
  ["SHA-384", "-sha384"],
  ["SHA-512", "-sha512"],
];
const MESSAGE = new TextEncoder().encode("AWS4-X509-… a string to sign");

/** Creates a token with a key and certificate of each type; each key also as always-authenticate. */
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

/** Returns openssl's output for a signature. */
async function verifyWithOpenssl(
  keyType: string,
  option: string,
  signature: Uint8Array,
): Promise<string> {
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
  const open = (uri: string, options: Script = {}): Promise<Signer> =>
    keystore.openKey(parseUri(uri), moduleContext(module, options));

  for (const keyType of KEY_TYPES) {
    Deno.test(`${name}: a signer's signatures are openssl's when the key is ${keyType}`, async () => {
      using _ = hsm.enter();
      const object = `pkcs11:token=signing;object=${keyType}`;
      await using ordinary = await open(`${object}?pin-value=${PIN}`);
      await using always = await open(`${object}%20always?pin-value=${PIN}`, {
        switches: ["reuse-pin"],
      });
      for (const [digest, option] of DIGESTS) {
        for (const signer of [ordinary, always]) {
          const signature = await signer.sign(MESSAGE, digest);
          assertEquals(await verifyWithOpenssl(keyType, option, signature), "Verified OK");
        }
      }
    });
  }
}

/** Mechanisms of a token, by key type. */
const OFFERS = {
  "rsa-2048": { raw: "0x1", hashing: "0x40,0x41,0x42" },
  "ec-p256": { raw: "0x1041", hashing: "0x1044,0x1045,0x1046" },
  "ec-p521": { raw: "0x1041", hashing: "0x1044,0x1045,0x1046" },
} as const;

for (const variant of WRAPPERS) {
  const keystore = await loadedKeystore(variant, hsm);
  const context = () => moduleContext(variant.module, { switches: ["reuse-pin"] });
  for (const [keyType, { raw, hashing }] of Object.entries(OFFERS)) {
    const settings: [string, WrapperSettings][] = [
      ["only signs hashes", { MECHANISMS: raw }],
      ["only hashes by itself", { MECHANISMS: hashing }],
      ["hashes by itself and does not list that", {
        MECHANISMS: hashing,
        FAIL: "C_GetMechanismList=0x54",
      }],
    ];
    for (const [what, setting] of settings) {
      Deno.test(`${variant.name}: a signer signs with ${keyType} when the token ${what}`, async () => {
        using wrapped = wrap(hsm, setting);
        for (const label of [keyType, `${keyType}%20always`]) {
          const uri = parseUri(`pkcs11:token=signing;object=${label}?pin-value=${PIN}`);
          await using signer = await keystore.openKey(uri, context());
          for (const [digest, option] of DIGESTS) {
            const signature = await signer.sign(MESSAGE, digest);
            assertEquals(await verifyWithOpenssl(keyType, option, signature), "Verified OK");
          }
        }
        assertEquals(wrapped.count("C_Sign"), 6);
      });
    }
  }

  Deno.test(`${variant.name}: a signer throws key-unsupported when the token has no mechanism for the key`, async () => {
    using wrapped = wrap(hsm, { MECHANISMS: "0x1" });
    const uri = parseUri(`pkcs11:token=signing;object=ec-p256?pin-value=${PIN}`);
    await using signer = await keystore.openKey(uri, context());
    const error = await assertRejects(
      () => signer.sign(MESSAGE, "SHA-256"),
      HelperError,
      "C_SignInit failed with CKR_MECHANISM_INVALID (0x70)",
    );
    assertEquals([error.code, wrapped.count("C_Sign")], ["key-unsupported", 0]);
  });
}
