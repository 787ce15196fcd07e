import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { tpmKeystore } from "../../../plugins/tpm/mod.ts";
import { HelperError } from "../../../src/errors.ts";
import type { Signer } from "../../../src/keystore/types.ts";
import { type KeystoreUri, parseKeystoreUri, TSS2_KEYS } from "../../../src/keystore/uri.ts";
import { parseCertificate } from "../../../src/x509/certificate.ts";
import { hasPublicKey } from "../../../src/x509/chain.ts";
import { NO_CONTEXT } from "../../keystore/fake_keystore.ts";
import { createAuthority, issueCertificate } from "../../support/certificates.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { tss2Der } from "../../support/tpm/tss2_pem.ts";
import { derOf } from "../../x509/test_certificates.ts";
import { publicAreaOf } from "./public_areas.ts";

const HANDLE = parseKeystoreUri("handle:0x81000001", "--private-key");

for (
  const [os, scheme] of [["windows", "cng:"], ["darwin", "keychain:"]] as const
) {
  Deno.test(`the keystore says on ${os} that keys are reached through ${scheme}`, async () => {
    const keystore = tpmKeystore(os);
    const file = { ...HANDLE, path: "", attributes: new Map([[TSS2_KEYS, new Uint8Array(0)]]) };
    for (const uri of [HANDLE, file]) {
      for (const use of [keystore.openKey, keystore.readCertificates]) {
        const error = await assertRejects(() => use(uri, NO_CONTEXT), HelperError, scheme);
        assertEquals(error.code, "keystore-unavailable");
        assertStringIncludes(error.message, "handle:0x81000001");
      }
    }
  });
}

Deno.test("readCertificates() says that a handle has none", async () => {
  const error = await assertRejects(
    () => tpmKeystore("linux").readCertificates(HANDLE, NO_CONTEXT),
    HelperError,
    "handle:0x81000001 names a key in the TPM, which holds no certificate",
  );
  assertEquals(error.code, "certificate-format");
});

/** A file's source with several keys in it. */
function sourceOf(...points: Uint8Array[][]): KeystoreUri {
  const keys = points.map((unique) =>
    tss2Der({
      parent: 0x40000001,
      publicArea: publicAreaOf({ unique }),
      privateArea: Uint8Array.of(0, 1, 1),
    })
  );
  const all = Uint8Array.from(keys.flatMap((key) => [...key]));
  return { ...HANDLE, displayName: "keys.pem", path: "", attributes: new Map([[TSS2_KEYS, all]]) };
}

Deno.test("openKey() takes of several keys in a file the one of the certificate, without the TPM", async () => {
  using directory = new TemporaryDirectory();
  const authority = await createAuthority(directory, { subject: "/CN=a" });
  const points: Uint8Array[][] = [];
  const certificates = [];
  for (const name of ["b", "c"]) {
    const { certificatePem } = await issueCertificate(authority, { subject: `/CN=${name}` });
    const certificate = parseCertificate(derOf(certificatePem));
    const point = certificate.subjectPublicKeyInfo.slice(-64);
    points.push([point.slice(0, 32), point.slice(32)]);
    certificates.push(certificate);
  }
  const keystore = tpmKeystore("linux");
  for (const certificate of certificates) {
    const signer = await keystore.openKey(sourceOf(...points), NO_CONTEXT, certificate) as Signer;
    assertEquals(hasPublicKey(certificate, signer.publicKey), true);
  }
  const other = parseCertificate(derOf(authority.certificatePem));
  for (const beside of [undefined, other]) {
    const error = await assertRejects(
      () => keystore.openKey(sourceOf(...points), NO_CONTEXT, beside),
      HelperError,
      "keys.pem holds 2 TPM keys",
    );
    assertEquals(error.code, "key-format");
  }
});
