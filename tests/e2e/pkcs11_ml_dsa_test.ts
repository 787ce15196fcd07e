import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { runBinary } from "../support/binary.ts";
import { createAuthority } from "../support/certificates.ts";
import { issueMldsaCertificate, type MldsaLevel } from "../support/mldsa_certificate.ts";
import { testWith } from "../support/needs.ts";
import { openssl } from "../support/openssl.ts";
import { compileModule } from "../support/pkcs11_modules.ts";
import { PYTHON } from "../support/tools.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { verifySignature } from "../../src/x509/verify_signature.ts";

/** CKP_ML_DSA_44, _65 and _87. */
const PARAMETER_SETS: readonly (readonly [MldsaLevel, string])[] = [
  [44, "1"],
  [65, "2"],
  [87, "3"],
];

const MESSAGE = new TextEncoder().encode("AWS Roles Anywhere Credential Helper Signing Test1");

/** Creates the key, certificate and variables for the module of mldsa.c. */
async function makeToken(directory: TemporaryDirectory, level: MldsaLevel, set: string) {
  const authority = await createAuthority(directory, { subject: "/CN=Authority" });
  const machine = await issueMldsaCertificate(authority, { subject: "/CN=machine", level });
  const certificate = parseCertificate(
    await openssl(["x509", "-in", machine.certificatePath, "-outform", "DER"]),
  );
  const publicKey = publicKeyOf(certificate);
  const script = fileURLToPath(new URL("../support/sign_ml_dsa.py", import.meta.url));
  const message = directory.join("message");
  return {
    publicKey,
    env: {
      MLDSA_SET: set,
      MLDSA_CERT: directory.write("certificate.der", certificate.encoded),
      MLDSA_PUBLIC: directory.write("public", publicKey.bits),
      MLDSA_MESSAGE: message,
      MLDSA_SIGNER: `'${PYTHON}' '${script}' '${machine.keyPath}' '${message}'`,
    },
  };
}

for (const [level, set] of PARAMETER_SETS) {
  for (const silent of [false, true]) {
    const what = silent ? ", its private key without CKA_PARAMETER_SET" : "";
    testWith(
      ["binary", "softhsm", "python-client"],
      `sign-string and read-certificate-data use ML-DSA-${level} on a token${what}`,
      async () => {
        using directory = new TemporaryDirectory();
        const { publicKey, env } = await makeToken(directory, level, set);
        const module = await compileModule("mldsa");
        const flags = ["--pkcs11-lib", module];
        const options = { env: { ...env, ...(silent ? { MLDSA_SILENT: "1" } : {}) } };
        for (
          const source of [
            ["--certificate", "pkcs11:token=pqc;id=%2A?pin-value=123456"],
            ["--private-key", "pkcs11:token=pqc;object=machine;type=private?pin-value=123456"],
          ]
        ) {
          const args = ["sign-string", ...source, ...flags, "--format", "bin"];
          const { code, stdoutBytes, stderr } = await runBinary(args, options);
          assertEquals({ code, stderr }, { code: 0, stderr: "" });
          assert(await verifySignature(publicKey, MESSAGE, "SHA-256", stdoutBytes));
        }
        const listed = await runBinary(
          ["read-certificate-data", "--certificate", "pkcs11:token=pqc", ...flags],
          options,
        );
        assertStringIncludes(listed.stdout, "Subject: CN=machine");
        const wrong = await runBinary(
          ["sign-string", "--certificate", "pkcs11:?pin-value=000000", ...flags],
          options,
        );
        assertEquals([wrong.code, wrong.stdout], [3, ""]);
      },
    );
  }
}
