import { assertEquals, assertMatch } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { issueMldsaCertificate } from "../support/mldsa_certificate.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

Deno.test("selftest signs with a key file of every kind, verifies and passes", async () => {
  using directory = new TemporaryDirectory();
  const authority = await createAuthority(directory, { subject: "/CN=Authority" });
  const identities = [
    await issueCertificate(authority, { subject: "/CN=a", keyType: "rsa-2048" }),
    await issueCertificate(authority, { subject: "/CN=a", keyType: "ec-p521" }),
    await issueMldsaCertificate(authority, { subject: "/CN=a", level: 65 }),
  ];
  const keys = ["RSA of 2048 bits", "EC on P-521", "ML-DSA-65"];
  for (const [i, { certificatePath, keyPath }] of identities.entries()) {
    const { code, stdout, stderr } = await runBinary([
      ...["selftest", "--certificate", certificatePath, "--private-key", keyPath],
    ]);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertMatch(stdout, new RegExp(`\n   Key: ${keys[i]}\n`));
    assertMatch(stdout, /, signature of \d+ bytes, verified\nResult: passed\n$/);
  }
});

Deno.test("selftest and --cert-selector refuse in one sentence where there is no store", async () => {
  const cases: [string[], number, RegExp][] = [
    [["selftest"], 3, /^aws_signing_helper: selftest: Linux has no certificate store; [^\n]*\n$/],
    [
      ["sign-string", "--cert-selector", "Key=x509Subject,Value=CN=a"],
      3,
      /^aws_signing_helper: --cert-selector: Linux has no certificate store; [^\n]*\n$/,
    ],
    [
      ["sign-string", "--cert-selector", "Key=x509Serial,Value=xyz"],
      2,
      /^aws_signing_helper: --cert-selector: x509Serial: the value is not a serial number[^\n]*\n$/,
    ],
    [
      ["read-certificate-data", "--cert-selector", "file:///nowhere.json"],
      2,
      /^aws_signing_helper: --cert-selector: \/nowhere.json: the file cannot be read[^\n]*\n$/,
    ],
    [
      ["sign-string", "--cert-selector", "Key=x509Serial,Value=01", "--system-store-location", "x"],
      2,
      /^aws_signing_helper: --system-store-location is "x"; it must be one of user, machine\n$/,
    ],
  ];
  for (const [args, expected, words] of cases) {
    const { code, stdout, stderr } = await runBinary(args);
    assertEquals({ code, stdout }, { code: expected, stdout: "" });
    assertMatch(stderr, words);
  }
});
