import { assertEquals, assertStringIncludes } from "@std/assert";
import { runBinary } from "../support/binary.ts";
import {
  createAuthority,
  issueCertificate,
  type KeyType,
  RSA_8192_KEY_PATH,
} from "../support/certificates.ts";
import { issueMldsaCertificate, type MldsaLevel } from "../support/mldsa_certificate.ts";
import { SessionScenario } from "../support/session_scenario.ts";

interface Finding {
  readonly level: string;
  readonly name: string;
  readonly message: string;
}

async function findings(args: readonly string[]): Promise<{ code: number; found: Finding[] }> {
  const { code, stdout } = await runBinary(["doctor", "--json", ...args]);
  return { code, found: JSON.parse(stdout).findings };
}

const KEY_TYPES: readonly KeyType[] = [
  "rsa-1024",
  "rsa-2048",
  "rsa-4096",
  "ec-p256",
  "ec-p384",
  "ec-p521",
];
const LEVELS: readonly MldsaLevel[] = [44, 65, 87];

Deno.test("doctor verifies the signature of every kind of key", async (t) => {
  await using scenario = await SessionScenario.create();
  const { trustAnchor, serviceFlags } = scenario;
  const subject = "/CN=machine";
  const issues = [
    ...KEY_TYPES.map((keyType) => ({
      kind: keyType as string,
      issue: () => issueCertificate(trustAnchor, { subject, keyType }),
    })),
    {
      kind: "rsa-8192",
      issue: () => issueCertificate(trustAnchor, { subject, keyPath: RSA_8192_KEY_PATH }),
    },
    ...LEVELS.map((level) => ({
      kind: `ml-dsa-${level}`,
      issue: () => issueMldsaCertificate(trustAnchor, { subject, level }),
    })),
  ];
  for (const { kind, issue } of issues) {
    await t.step(kind, async () => {
      const { certificatePath, keyPath } = await issue();
      const { code, found } = await findings([
        ...["--certificate", certificatePath, "--private-key", keyPath],
        ...serviceFlags,
      ]);
      assertEquals(found.filter(({ level }) => level === "problem"), []);
      assertEquals(code, 0);
      const { message = "" } = found.find(({ name }) => name === "key") ?? {};
      assertStringIncludes(message, "matches the certificate and can sign");
      assertEquals(message.includes("could not be verified"), false, message);
    });
  }
});

Deno.test("doctor accepts issuers with every kind of key", async (t) => {
  await using scenario = await SessionScenario.create();
  const { directory, serviceFlags } = scenario;
  for (const keyType of ["rsa-2048", "ec-p256", "ec-p384", "ec-p521"] as const) {
    for (const digest of ["sha256", "sha512"] as const) {
      await t.step(`${keyType}, ${digest}`, async () => {
        const root = await createAuthority(directory, { subject: "/CN=root", keyType, digest });
        const issuer = await issueCertificate(root, {
          ...{ subject: "/CN=issuer", keyType, digest, ca: true },
        });
        const identity = await issueCertificate(issuer, { subject: "/CN=machine", digest });
        const { code, found } = await findings([
          ...["--certificate", identity.certificatePath, "--private-key", identity.keyPath],
          ...["--intermediates", issuer.certificatePath, ...serviceFlags],
        ]);
        assertEquals(found.filter(({ level }) => level === "problem"), []);
        assertEquals([code, found.some(({ name }) => name === "chain")], [0, true]);
      });
    }
  }
});
