import { assertEquals, assertRejects } from "@std/assert";

import { FlagValues } from "../../src/cli/flags/flag_values.ts";
import { readCertificateData } from "../../src/cli/commands/read_certificate_data.ts";
import { HelperError } from "../../src/errors.ts";
import type { KeystoreUri } from "../../src/keystore/uri.ts";
import type { CertificateLister, ListedCertificate } from "../../src/keystore/types.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { FakeKeystore } from "../keystore/fake_keystore.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { FakeSystem } from "./fake_system.ts";

class ListingKeystore extends FakeKeystore implements CertificateLister {
  constructor(readonly listed: readonly ListedCertificate[]) {
    super({});
  }

  listCertificates(): Promise<readonly ListedCertificate[]> {
    return Promise.resolve(this.listed);
  }
}

async function listing(listed: readonly ListedCertificate[]): Promise<string> {
  const system = new FakeSystem({ keystore: new ListingKeystore(listed) });
  const values = new FlagValues(
    "read-certificate-data",
    new Map([["certificate", "pkcs11:object=a"]]),
    () => undefined,
  );
  await readCertificateData(values, system);
  return system.written.join("");
}

Deno.test("readCertificateData() lists a token's certificates as openssl reads them", async () => {
  using directory = new TemporaryDirectory();
  const authority = await createAuthority(directory, { subject: "/O=Example/CN=Authority" });
  const { certificatePath } = await issueCertificate(authority, {
    subject: "/CN=leaf, one",
    serial: 0x0abcn,
  });
  const certificates = await Promise.all(
    [certificatePath, authority.certificatePath].map(async (path) =>
      parseCertificate(await openssl(["x509", "-in", path, "-outform", "DER"]))
    ),
  );
  const shown = async (path: string, ...args: string[]) => {
    const printed = await openssl(["x509", "-in", path, "-noout", "-nameopt", "RFC2253", ...args]);
    return new TextDecoder().decode(printed).trim().replace(/^[^=]*=/, "");
  };
  const block = async (path: string) => [
    `Hex Fingerprint: ${(await shown(path, "-fingerprint")).replaceAll(":", "").toLowerCase()}`,
    `Subject: ${await shown(path, "-subject")}`,
    `Issuer: ${await shown(path, "-issuer")}`,
    `Serial Number: ${await shown(path, "-serial")}`,
  ];
  const [leaf, issuer] = certificates;
  if (!leaf || !issuer) throw new Error("two certificates were made");
  const text = await listing([
    { certificate: leaf, uri: "pkcs11:token=t;id=%01" },
    { certificate: issuer },
  ]);
  const [first = "", ...rest] = await block(certificatePath);
  const [second = "", ...others] = await block(authority.certificatePath);
  assertEquals(
    text.split("\n"),
    [
      "Matching identities",
      `1) ${first}`,
      ...rest,
      "URI: pkcs11:token=t;id=%01",
      "",
      `2) ${second}`,
      ...others,
      "",
      "",
    ],
  );
});

Deno.test("readCertificateData() prints that no certificate of a token matches", async () => {
  assertEquals(await listing([]), "No matching identities\n");
});

/** Keystore whose certificates cannot be read or listed. */
class FailingKeystore extends FakeKeystore {
  readonly fail = ({ displayName }: KeystoreUri) =>
    Promise.reject(new HelperError("key-not-found", `${displayName} does not exist`));
  override readCertificates = this.fail;
}

class FailingLister extends FailingKeystore implements CertificateLister {
  listCertificates = this.fail;
}

for (const Failing of [FailingKeystore, FailingLister]) {
  Deno.test(`readCertificateData() names the variable of a certificate of a ${Failing.name}`, async () => {
    const system = new FakeSystem({ keystore: new Failing({}) });
    const read = (variable: string | undefined) =>
      readCertificateData(
        new FlagValues(
          "read-certificate-data",
          new Map(variable === undefined ? [["certificate", "a.pem"]] : []),
          (name) => name === variable ? "a.pem" : undefined,
        ),
        system,
      );
    const variable = "AWS_SIGNING_HELPER_CERTIFICATE";
    const named = await assertRejects(() => read(variable), HelperError);
    assertEquals(named.message, `${variable}: a.pem does not exist`);
    const typed = await assertRejects(() => read(undefined), HelperError);
    assertEquals(typed.message, "a.pem does not exist");
  });
}
