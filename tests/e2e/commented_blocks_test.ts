import { assertEquals, assertMatch } from "@std/assert";

import { runBinary, runProgram } from "../support/binary.ts";
import { createAuthority } from "../support/certificates.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Comment signs before each line of a block. */
const SIGNS = ["#", "# ", "##", ";", "; ", "//", "// ", "-- ", "* ", "REM ", "%", "\t# "];

Deno.test("a block that is commented out is not read, as openssl does not read it", async () => {
  using directory = new TemporaryDirectory();
  const used = await createAuthority(directory, { subject: "/CN=used" });
  const other = await createAuthority(directory, { subject: "/CN=other" });
  const [otherKey, otherCertificate] = [other.keyPath, other.certificatePath]
    .map((path) => Deno.readTextFileSync(path));
  const [usedKey, usedCertificate] = [used.keyPath, used.certificatePath]
    .map((path) => Deno.readTextFileSync(path));
  for (const sign of SIGNS) {
    const commentOut = (text = "") => text.replace(/^(?=.)/gm, () => sign);
    const key = directory.write("key.pem", commentOut(otherKey) + usedKey);
    const certificate = directory.write(
      "certificate.pem",
      commentOut(otherCertificate) + usedCertificate,
    );
    const flags = ["--certificate", certificate, "--private-key", key];
    assertEquals((await runBinary(["sign-string", ...flags])).code, 0, sign);
    const shown = await runBinary(["read-certificate-data", "--certificate", certificate]);
    const expected = await runBinary([
      ...["read-certificate-data", "--certificate", used.certificatePath],
    ]);
    assertEquals([shown.stdout, shown.stderr], [expected.stdout, ""], sign);
    const subject = await runProgram("openssl", [
      ...["x509", "-noout", "-subject", "-in", certificate],
    ]);
    assertMatch(subject.stdout, /CN ?= ?used/, sign);

    const only = directory.write("only.pem", commentOut(otherKey));
    const refused = await runBinary(["sign-string", "--private-key", only]);
    assertEquals([refused.code, refused.stderr], [
      3,
      `aws_signing_helper: ${only}: the PRIVATE KEY block is commented out; remove the comment signs\n`,
    ], sign);
    const byOpenssl = await runProgram("openssl", ["pkey", "-noout", "-in", only]);
    assertEquals(byOpenssl.code, 1, sign);
  }
});
