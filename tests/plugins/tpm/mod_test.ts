import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createKeystore } from "../../../plugins/tpm/mod.ts";
import { HelperError } from "../../../src/errors.ts";
import type { Signer } from "../../../src/keystore/types.ts";
import { type KeystoreUri, parseKeystoreUri, TSS2_KEYS } from "../../../src/keystore/uri.ts";
import { parseCertificate } from "../../../src/x509/certificate.ts";
import { hasPublicKey } from "../../../src/x509/chain.ts";
import { createAuthority, issueCertificate } from "../../support/certificates.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { tss2Der } from "../../support/tpm/tss2_pem.ts";
import { derOf } from "../../x509/test_certificates.ts";
import { encodePublicArea } from "./public_areas.ts";
import { NO_CONTEXT } from "../../support/scripted_context.ts";

const HANDLE = parseKeystoreUri("handle:0x81000001", "--private-key");

for (
  const [os, scheme] of [["windows", "cng:"], ["darwin", "keychain:"]] as const
) {
  Deno.test(`the keystore throws keystore-unavailable naming ${scheme} on ${os}`, async () => {
    const keystore = createKeystore(os);
    const file = { ...HANDLE, path: "", attributes: new Map([[TSS2_KEYS, new Uint8Array(0)]]) };
    for (const uri of [HANDLE, file]) {
      for (const open of [keystore.openKey, keystore.readCertificates]) {
        const error = await assertRejects(() => open(uri, NO_CONTEXT), HelperError, scheme);
        assertEquals(error.code, "keystore-unavailable");
        assertStringIncludes(error.message, "handle:0x81000001");
      }
    }
  });
}

Deno.test("readCertificates() throws certificate-format for a handle", async () => {
  const error = await assertRejects(
    () => createKeystore("linux").readCertificates(HANDLE, NO_CONTEXT),
    HelperError,
    "handle:0x81000001: a TPM handle has no certificate",
  );
  assertEquals(error.code, "certificate-format");
});

/** Returns the source of a file with several keys. */
function createSource(...points: Uint8Array[][]): KeystoreUri {
  const keys = points.map((unique) =>
    tss2Der({
      parent: 0x40000001,
      publicArea: encodePublicArea({ unique }),
      privateArea: Uint8Array.of(0, 1, 1),
    })
  );
  const all = Uint8Array.from(keys.flatMap((key) => [...key]));
  return { ...HANDLE, displayName: "keys.pem", path: "", attributes: new Map([[TSS2_KEYS, all]]) };
}

Deno.test("openKey() selects the key of the certificate among several in a file, without the TPM", async () => {
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
  const keystore = createKeystore("linux");
  for (const certificate of certificates) {
    const signer = await keystore.openKey(
      createSource(...points),
      NO_CONTEXT,
      certificate,
    ) as Signer;
    assertEquals(hasPublicKey(certificate, signer.publicKey), true);
  }
  const other = parseCertificate(derOf(authority.certificatePem));
  for (const certificate of [undefined, other]) {
    const error = await assertRejects(
      () => keystore.openKey(createSource(...points), NO_CONTEXT, certificate),
      HelperError,
      "keys.pem: the file holds 2 TPM keys",
    );
    assertEquals(error.code, "key-format");
  }
});
