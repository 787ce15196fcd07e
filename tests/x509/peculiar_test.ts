/** @peculiar/x509 as a judge of our reader of certificates: it makes some, and reads strangers' too. */
import "reflect-metadata"; // must be loaded before @peculiar/x509
import * as x509 from "@peculiar/x509";
import { assertEquals, assertGreater } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";

import { parseCertificate } from "../../src/x509/certificate.ts";
import { parsePem } from "../../src/x509/pem.ts";

const BASIC_CONSTRAINTS = "2.5.29.19";
const SUBJECT_KEY = "2.5.29.14";
const AUTHORITY_KEY = "2.5.29.35";

/** Compares what both read of one certificate. */
function compare(encoded: Uint8Array<ArrayBuffer>, name: string): void {
  const ours = parseCertificate(encoded);
  const theirs = new x509.X509Certificate(encoded);
  const constraints = theirs.getExtension<x509.BasicConstraintsExtension>(BASIC_CONSTRAINTS);
  const subjectKey = theirs.getExtension<x509.SubjectKeyIdentifierExtension>(SUBJECT_KEY);
  const authorityKey = theirs.getExtension<x509.AuthorityKeyIdentifierExtension>(AUTHORITY_KEY);
  const hex = (bytes: Uint8Array | undefined) => bytes && encodeHex(bytes);
  assertEquals(
    {
      serial: ours.serialNumber,
      subject: hex(ours.subject),
      issuer: hex(ours.issuer),
      notBefore: ours.notBefore,
      notAfter: ours.notAfter,
      key: hex(ours.subjectPublicKeyInfo),
      isAuthority: ours.isAuthority,
      subjectKey: hex(ours.subjectKeyIdentifier),
      authorityKey: hex(ours.authorityKeyIdentifier),
    },
    {
      serial: BigInt(`0x${theirs.serialNumber}`),
      subject: hex(new Uint8Array(theirs.subjectName.toArrayBuffer())),
      issuer: hex(new Uint8Array(theirs.issuerName.toArrayBuffer())),
      notBefore: theirs.notBefore,
      notAfter: theirs.notAfter,
      key: hex(new Uint8Array(theirs.publicKey.rawData)),
      isAuthority: constraints?.ca ?? false,
      subjectKey: subjectKey?.keyId.toLowerCase(),
      authorityKey: authorityKey?.keyId?.toLowerCase(),
    },
    name,
  );
}

Deno.test("parseCertificate() reads the system's authorities as @peculiar/x509 does", () => {
  const blocks = parsePem(Deno.readTextFileSync("/etc/ssl/certs/ca-certificates.crt"));
  assertGreater(blocks.length, 100);
  for (const [i, { bytes }] of blocks.entries()) compare(Uint8Array.from(bytes), `block ${i + 1}`);
});

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

for (
  const [what, name, serialNumber, notAfter, algorithm] of [
    ["a name of many parts", "CN=Ümläut, OU=a+OU=b, O=x\\, y, C=DE", "01", "2049-12-31", EC],
    ["a time after 2049", "CN=late", "7fffffffffffffffffffffffffffffffffffffff", "2120-01-01", EC],
    ["a serial number whose first bit is set", "CN=high, DC=a, DC=b", "00ff", "2031-02-28", RSA],
    ["an empty subject", "", "0102030405", "2031-01-01", EC],
  ] as const
) {
  Deno.test(`parseCertificate() reads a certificate of @peculiar/x509 with ${what}`, async () => {
    const keys = await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber,
      subject: name,
      issuer: `CN=issuer, ${name}`.replace(/, $/, ""),
      notBefore: new Date("2020-02-29T00:00:01Z"),
      notAfter: new Date(`${notAfter}T23:59:59Z`),
      publicKey: keys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(what.startsWith("an"), undefined, true),
        new x509.SubjectAlternativeNameExtension([
          { type: "dns", value: "*.example.invalid" },
          { type: "url", value: "spiffe://example.invalid/a" },
          { type: "ip", value: "::1" },
        ]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    compare(new Uint8Array(certificate.rawData), what);
  });
}
