/** The walk of plugins/spiffe/README.md: SPIRE's programs, the AWS CLI, and the binary. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname } from "node:path";

import { ControlPlane } from "../clients/control_plane.ts";
import { BINARY, runProgram } from "../support/binary.ts";
import { blocks } from "../support/documents.ts";
import { testWith } from "../support/needs.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { compiledClient, writeAwsCommand } from "../support/tools.ts";
import { freePort } from "../support/free_port.ts";

/** Port of the server in the document: another may be free on this machine. */
const PORT = "8081";
/** Command that ends the background processes of the document. */
const CLEAN_UP = "trap 'kill $(jobs -p); wait' EXIT\n";

testWith(
  ["spire", "python-client"],
  "the documented walk from spire-server to credentials works as it is written",
  async () => {
    const steps = blocks("plugins/spiffe/README.md", "spire walk");
    assertEquals(steps.length, 7, "the document has lost a step");
    const script = steps.join("\n").replaceAll(PORT, String(freePort()));
    using directory = new TemporaryDirectory();
    await using plane = new ControlPlane(ARNS, {
      name: "web",
      condition: { "aws:PrincipalTag/x509SAN/URI": "spiffe://example.org/web" },
    });
    const [authority = "", ...rest] = steps;
    assertEquals(rest.length, 6);
    const made = await runProgram("sh", ["-euc", authority], { cwd: directory.path });
    assertEquals(made.code, 0, made.stderr);
    const upstream = Deno.readTextFileSync(directory.join("upstream.pem"));
    await using scenario = await SessionScenario.create({}, { trustAnchors: [upstream] });

    Deno.mkdirSync(directory.join("bin"));
    writeAwsCommand(directory.join("bin"));
    const { code, stdout, stderr } = await runProgram(
      "bash",
      ["-euc", CLEAN_UP + script.slice(authority.length)],
      {
        cwd: directory.path,
        env: {
          PATH: [dirname(BINARY), directory.join("bin"), compiledClient("spire").folder]
            .concat(Deno.env.get("PATH") ?? "").join(":"),
          HOME: directory.path,
          AWS_ENDPOINT_URL: plane.url,
          AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
          AWS_SECRET_ACCESS_KEY: "secret",
          AWS_SIGNING_HELPER_ENDPOINT: scenario.emulator.url,
          AWS_SIGNING_HELPER_CA_BUNDLE: scenario.caBundle,
        },
      },
    );
    assertEquals(code, 0, `${stdout}${stderr}`);
    assertMatch(stdout, /^\{"Version":1,"AccessKeyId":"ASIA/m);
    assertStringIncludes(stdout, ";id=spiffe://example.org/web");
    assertMatch(
      stdout,
      /^note +keystore-note: the trust anchor must contain the authority CN=Example workloads CA/m,
    );
    assertMatch(stdout, /^0 problems, /m);
    assertEquals(plane.trustedCertificate?.trim(), upstream.trim());
    assertEquals(plane.calls, ["CreateTrustAnchor", "CreateRole", "CreateProfile"]);
  },
);
