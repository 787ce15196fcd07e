import { assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { runBinary } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { openssl } from "../support/openssl.ts";
import { SessionScenario } from "../support/session_scenario.ts";

testWith(
  ["binary", "program:openssl"],
  "--ca-bundle takes PEM, TRUSTED CERTIFICATE and DER",
  async (t) => {
    await using scenario = await SessionScenario.create();
    const { directory, caBundle } = scenario;
    const pem = await Deno.readTextFile(caBundle);
    const der = await openssl(["x509", "-in", caBundle, "-outform", "DER"]);
    const trusted = await openssl([
      "x509",
      "-in",
      caBundle,
      "-trustout",
      "-addtrust",
      "serverAuth",
    ]);
    const bundles: Readonly<Record<string, string | Uint8Array>> = {
      "DER": der,
      "two in DER": Uint8Array.from([...der, ...der]),
      "TRUSTED CERTIFICATE": trusted,
      "X509 CERTIFICATE": pem.replaceAll("CERTIFICATE", "X509 CERTIFICATE"),
      "one line": pem.replaceAll("\n", " "),
      "escaped line breaks": pem.replaceAll("\n", "\\n"),
      "base64 of DER": encodeBase64(der),
      "base64 of PEM": btoa(pem),
      "glued": `${pem.trim()}${pem.trim()}`,
    };
    for (const [name, contents] of Object.entries(bundles)) {
      await t.step(name, async () => {
        const bundle = directory.write(`${name}.bundle`, contents);
        const { code, stderr } = await runBinary([
          "credential-process",
          ...scenario.flags.map((flag) => flag === caBundle ? bundle : flag),
        ]);
        assertEquals({ code, stderr }, { code: 0, stderr: "" });
      });
    }
  },
);

testWith(
  ["binary", "program:openssl"],
  "a negative serial number is named before anything is sent",
  async () => {
    await using scenario = await SessionScenario.create();
    const { directory, identity, trustAnchor, flags } = scenario;
    const path = directory.join("negative.pem");
    // deno-fmt-ignore
    await openssl([
    "req", "-new", "-x509", "-key", identity.keyPath, "-CA", trustAnchor.certificatePath,
    "-CAkey", trustAnchor.keyPath, "-subj", "/CN=negative", "-set_serial", "-42", "-days", "30",
    "-addext", "basicConstraints=CA:FALSE", "-out", path,
  ]);
    const { code, stdout, stderr } = await runBinary([
      "credential-process",
      ...flags.map((flag) => flag === identity.certificatePath ? path : flag),
    ]);
    assertEquals({ code, stdout }, { code: 3, stdout: "" });
    assertMatch(stderr, /negative\.pem has a negative serial number, which X\.509 forbids/);
    assertEquals(scenario.emulator.requests.length, 0);
  },
);
