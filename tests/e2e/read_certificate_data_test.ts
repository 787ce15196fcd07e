import { assertEquals } from "@std/assert";
import { createAuthority, issueCertificate, type KeyType } from "../support/certificates.ts";
import { runBinary } from "../support/binary.ts";
import { openssl } from "../support/openssl.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const SUPPORTED: Partial<Record<KeyType, { keyType: string; supportedAlgorithms: string[] }>> = {
  "rsa-2048": { keyType: "RSA", supportedAlgorithms: ["RSASHA256", "RSASHA384", "RSASHA512"] },
  "ec-p256": { keyType: "EC", supportedAlgorithms: ["ECSHA256", "ECSHA384", "ECSHA512"] },
};

for (const [keyType, expected] of Object.entries(SUPPORTED)) {
  Deno.test(`read-certificate-data prints what openssl reads from a certificate of ${keyType}`, async () => {
    using directory = new TemporaryDirectory();
    const authority = await createAuthority(directory, { subject: "/CN=Authority" });
    const { certificatePath } = await issueCertificate(authority, {
      subject: "/CN=leaf",
      keyType: keyType as KeyType,
    });
    const { code, stdout, stderr } = await runBinary([
      "read-certificate-data",
      "--certificate",
      certificatePath,
    ]);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    const der = await openssl(["x509", "-in", certificatePath, "-outform", "DER"]);
    const serial = new TextDecoder().decode(
      await openssl(["x509", "-in", certificatePath, "-noout", "-serial"]),
    );
    const data = {
      keyType: expected.keyType,
      certificateData: btoa(String.fromCharCode(...der)),
      serialNumber: BigInt(`0x${serial.trim().split("=")[1]}`).toString(),
      supportedAlgorithms: expected.supportedAlgorithms,
    };
    assertEquals(stdout, `${JSON.stringify(data)}\n`);

    const derFile = directory.write("leaf.der", der);
    const again = await runBinary(["read-certificate-data", `--certificate=file:${derFile}`]);
    assertEquals(again.stdout, stdout);
  });
}
