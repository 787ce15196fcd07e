import { assertEquals } from "@std/assert";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { hasIssued } from "../../src/x509/verify_issuer.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { derOf } from "./test_certificates.ts";

const read = (pem: string) => parseCertificate(derOf(pem));

for (const keyType of ["rsa-2048", "ec-p256", "ec-p384", "ec-p521"] as const) {
  for (const digest of ["sha256", "sha384", "sha512"] as const) {
    Deno.test(`hasIssued() verifies the issuer's signature: ${keyType} over ${digest}`, async () => {
      using directory = new TemporaryDirectory();
      const name = { subject: "/CN=Issuer", keyType, extensions: { subjectKeyIdentifier: null } };
      const issuer = await createAuthority(directory, name);
      // It has the same name and differs only in its key.
      const impostor = read((await createAuthority(directory, name)).certificatePem);
      const subject = "/CN=leaf";
      const issued = await issueCertificate(issuer, {
        subject,
        digest,
        extensions: { authorityKeyIdentifier: null },
      });
      const leaf = read(issued.certificatePem);
      assertEquals(await hasIssued(read(issuer.certificatePem), leaf), true);
      assertEquals(await hasIssued(impostor, leaf), false);
      assertEquals(await hasIssued(leaf, leaf), false);
      const changed = Uint8Array.from(leaf.encoded);
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
      assertEquals(await hasIssued(read(issuer.certificatePem), parseCertificate(changed)), false);
    });
  }
}

/** Makes an authority and a certificate of it with openssl only. `args` select the signature. */
async function issuedWith(directory: TemporaryDirectory, key: string[], args: string[]) {
  const [keyPath, authority] = [directory.join("key.pem"), directory.join("authority.pem")];
  await openssl(["genpkey", ...key, "-out", keyPath]);
  const request = ["req", "-x509", "-key", keyPath, "-subj"];
  await openssl([...request, "/CN=Issuer", "-out", authority, ...args]);
  const leafKey = directory.join("leaf.pem");
  await openssl([
    "genpkey",
    "-algorithm",
    "EC",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-out",
    leafKey,
  ]);
  const asked = await openssl(["req", "-new", "-key", leafKey, "-subj", "/CN=leaf"]);
  const path = directory.write("request.pem", asked);
  const leaf = await openssl([
    "x509",
    "-req",
    "-in",
    path,
    "-CA",
    authority,
    "-CAkey",
    keyPath,
    ...args,
  ]);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { issuer: read(await Deno.readTextFile(authority)), leaf: read(text(leaf)) };
}

const OTHERS: Record<string, [string[], string[]]> = {
  "RSA-PSS": [["-algorithm", "RSA"], [
    "-sha384",
    "-sigopt",
    "rsa_padding_mode:pss",
    "-sigopt",
    "rsa_pss_saltlen:48",
  ]],
};

for (const [name, [key, args]] of Object.entries(OTHERS)) {
  Deno.test(`hasIssued() verifies the issuer's signature: ${name}`, async () => {
    using directory = new TemporaryDirectory();
    const { issuer, leaf } = await issuedWith(directory, key, args);
    assertEquals(await hasIssued(issuer, leaf), true);
    const other = await issuedWith(directory, key, args);
    assertEquals(await hasIssued(other.issuer, leaf), false);
  });
}

Deno.test("hasIssued() is false where the service does not take the algorithm", async () => {
  using directory = new TemporaryDirectory();
  for (const [key, args] of [[["-algorithm", "ED25519"], []], [["-algorithm", "RSA"], ["-sha1"]]]) {
    const { issuer, leaf } = await issuedWith(directory, key ?? [], args ?? []);
    assertEquals(await hasIssued(issuer, leaf), false);
  }
});
