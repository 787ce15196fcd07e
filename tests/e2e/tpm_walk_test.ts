import { assertEquals, assertMatch } from "@std/assert";
import { dirname } from "node:path";
import { BINARY, runProgram } from "../support/binary.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";

const README = new URL("../../README.md", import.meta.url);
/** The end-entity certificate extensions of the quick start. */
const EXTENSIONS = /cat > certificate\.ext <<'END'\n([\s\S]*?)END\n/;
/** Shell blocks of the walk. */
const WALK = /<!-- walk -->\n+```sh\n([\s\S]*?)```/g;

Deno.test("README's walk from an empty TPM to credentials works as written", async () => {
  const readme = await Deno.readTextFile(README);
  const steps = [...readme.matchAll(WALK)].map(([, lines = ""]) => lines);
  assertEquals(steps.length, 6, "README has lost a step");
  await using tpm = await SoftwareTpm.start();
  await using scenario = await SessionScenario.create();
  const { directory, trustAnchor, emulator, caBundle } = scenario;
  directory.write("ca.pem", trustAnchor.certificatePem);
  directory.write("ca.key", trustAnchor.keyPem);
  directory.write("certificate.ext", EXTENSIONS.exec(readme)?.[1] ?? "");
  const { code, stdout, stderr } = await runProgram("sh", ["-euc", steps.join("\n")], {
    cwd: directory.path,
    env: {
      ...tpm.env,
      TPM2OPENSSL_TCTI: tpm.tcti,
      PATH: `${dirname(BINARY)}:${Deno.env.get("PATH")}`,
      role: ARNS.role,
      profile: ARNS.profile,
      trust_anchor: ARNS.trustAnchor,
      // The README's commands go to AWS; here they go to the emulator.
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
