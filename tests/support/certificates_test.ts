import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";

import { createAuthority, issueCertificate, type KeyType } from "./certificates.ts";
import { openssl } from "./openssl.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const describe = async (path: string) =>
  text(await openssl(["x509", "-in", path, "-noout", "-text"]));

const KEY_DESCRIPTIONS: [KeyType, RegExp][] = [
  ["rsa-1024", /Public-Key: \(1024 bit\)/],
  ["rsa-2048", /Public-Key: \(2048 bit\)/],
  ["ec-p256", /NIST CURVE: P-256/],
  ["ec-p384", /NIST CURVE: P-384/],
  ["ec-p521", /NIST CURVE: P-521/],
];

Deno.test("issueCertificate() makes certificates that openssl verifies for each key type", async () => {
  using directory = new TemporaryDirectory();
  const authority = await createAuthority(directory, { subject: "/CN=Root" });
  for (const [keyType, expected] of KEY_DESCRIPTIONS) {
    const issued = await issueCertificate(authority, { subject: "/O=a\\/b/CN=é", keyType });
    const verdict = await openssl([
      "verify",
      "-x509_strict",
      "-CAfile",
      authority.certificatePath,
      issued.certificatePath,
    ]);
    assertStringIncludes(text(verdict), ": OK");
    assertMatch(await describe(issued.certificatePath), expected);
    assertMatch(issued.keyPem, /^-----BEGIN PRIVATE KEY-----\n/);
  }
});

Deno.test("issueCertificate() follows serial, dates, extensions and digest when given", async () => {
  using directory = new TemporaryDirectory();
  const authority = await createAuthority(directory, { subject: "/CN=Root" });
  const issued = await issueCertificate(authority, {
    subject: "/CN=old",
    serial: 0x0abcn,
    notBefore: new Date("2020-01-02T03:04:05Z"),
    notAfter: new Date("2021-01-02T03:04:05Z"),
    extensions: { keyUsage: null, extendedKeyUsage: "codeSigning" },
    digest: "sha384",
  });
  const description = await describe(issued.certificatePath);
  assertStringIncludes(description, "Serial Number: 2748 (0xabc)");
  assertStringIncludes(description, "Not Before: Jan  2 03:04:05 2020 GMT");
  assertStringIncludes(description, "Not After : Jan  2 03:04:05 2021 GMT");
  assertStringIncludes(description, "ecdsa-with-SHA384");
  assertStringIncludes(description, "Code Signing");
  assertEquals(description.includes("X509v3 Key Usage"), false);
  const error = await assertRejects(
    () => openssl(["verify", "-CAfile", authority.certificatePath, issued.certificatePath]),
    Error,
  );
  assertStringIncludes(error.message, "certificate has expired");
});

Deno.test("issueCertificate() omits key identifiers, and makes version 1 without extensions", async () => {
  using directory = new TemporaryDirectory();
  const identifiers = { subjectKeyIdentifier: null, authorityKeyIdentifier: null };
  const none = { ...identifiers, basicConstraints: null, keyUsage: null, extendedKeyUsage: null };
  for (const keyType of ["ec-p256", "rsa-2048"] as const) {
    const root = await createAuthority(directory, { subject: "/CN=Old root", keyType });
    const cases = [
      [await issueCertificate(root, { subject: "/CN=old", extensions: none }), root, 1, 0],
      [
        await createAuthority(directory, { subject: "/CN=self", keyType, extensions: none }),
        null,
        1,
        0,
      ],
      [await issueCertificate(root, { subject: "/CN=few", extensions: identifiers }), root, 3, 3],
      [await issueCertificate(root, { subject: "/CN=all", digest: "sha384" }), root, 3, 5],
    ] as const;
    for (const [issued, issuer, version, extensions] of cases) {
      const description = await describe(issued.certificatePath);
      assertStringIncludes(description, `Version: ${version} (0x${version - 1})`);
      assertEquals(description.match(/X509v3 [A-Z].*:/g)?.length ?? 0, extensions);
      const anchor = issuer ?? issued;
      const verdict = await openssl([
        ...["verify", "-check_ss_sig", "-CAfile", anchor.certificatePath, issued.certificatePath],
      ]);
      assertStringIncludes(text(verdict), ": OK");
    }
  }
});

Deno.test("issueCertificate() makes an intermediate that can issue when ca is true", async () => {
  using directory = new TemporaryDirectory();
  const root = await createAuthority(directory, { subject: "/CN=Root" });
  const middle = await issueCertificate(root, { subject: "/CN=Middle", ca: true });
  const leaf = await issueCertificate(middle, {
    subject: "/CN=localhost",
    hosts: ["localhost", "127.0.0.1"],
  });
  const verdict = await openssl([
    "verify",
    "-x509_strict",
    "-CAfile",
    root.certificatePath,
    "-untrusted",
    middle.certificatePath,
    "-verify_hostname",
    "localhost",
    leaf.certificatePath,
  ]);
  assertStringIncludes(text(verdict), ": OK");
});

Deno.test("TemporaryDirectory writes with the requested mode and removes all when disposed", () => {
  let path: string;
  {
    using directory = new TemporaryDirectory();
    path = directory.path;
    const file = directory.write("a/b.txt", "text", 0o640);
    assertEquals(Deno.readTextFileSync(file), "text");
    if (Deno.build.os !== "windows") {
      assertEquals((Deno.statSync(file).mode ?? 0) & 0o777, 0o640);
    }
  }
  assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
});

Deno.test("openssl() reads standard input, and throws the program's message when it fails", async () => {
  assertEquals(
    text(await openssl(["dgst", "-sha256", "-r"], { stdin: "abc" })).slice(0, 16),
    "ba7816bf8f01cfea",
  );
  const error = await assertRejects(() => openssl(["x509", "-in", "/nonexistent"]), Error);
  assertMatch(error.message, /^openssl x509 ended with 1: .*nonexistent/s);
  assertEquals(
    await openssl(["x509", "-in", "/nonexistent"], { allowFailure: true }),
    new Uint8Array(),
  );
});
