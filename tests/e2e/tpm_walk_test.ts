import { assertEquals, assertMatch } from "@std/assert";
import { dirname } from "node:path";
import { BINARY, runProgram } from "../support/binary.ts";
import { blocks, readDocument } from "../support/documents.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";

/** The quick start's extensions of an end-entity certificate. */
const EXTENSIONS = /cat > certificate\.ext <<'END'\n([\s\S]*?)END\n/;

Deno.test("the documented walk from an empty TPM to credentials works as it is written", async () => {
  const steps = blocks("plugins/tpm/README.md", "tpm walk");
  assertEquals(steps.length, 6, "the document has lost a step");
  await using tpm = await SoftwareTpm.start();
  await using scenario = await SessionScenario.create();
  const { directory, trustAnchor, emulator, caBundle } = scenario;
  directory.write("ca.pem", trustAnchor.certificatePem);
  directory.write("ca.key", trustAnchor.keyPem);
  directory.write("certificate.ext", EXTENSIONS.exec(readDocument("README.md"))?.[1] ?? "");
  const { code, stdout, stderr } = await runProgram("sh", ["-euc", steps.join("\n")], {
    cwd: directory.path,
    env: {
      ...tpm.env,
      TPM2OPENSSL_TCTI: tpm.tcti,
      PATH: `${dirname(BINARY)}:${Deno.env.get("PATH")}`,
      role: ARNS.role,
      profile: ARNS.profile,
      trust_anchor: ARNS.trustAnchor,
      // The service is the emulator; the document's command calls AWS.
      AWS_SIGNING_HELPER_ENDPOINT: emulator.url,
      AWS_SIGNING_HELPER_CA_BUNDLE: caBundle,
    },
  });
  assertEquals(code, 0, stderr);
  const sessions = stdout.split("\n").filter((line) => line.startsWith("{"));
  assertEquals(sessions.length, 2);
  for (const session of sessions) assertMatch(session, /^\{"Version":1,"AccessKeyId":"ASIA/);
  assertEquals(await tpm.listLeftovers(), []);
});
