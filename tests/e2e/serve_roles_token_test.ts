/** `serve --roles` with one key on a PKCS#11 token: one PIN, one signature at a time. */
import { assert, assertEquals } from "@std/assert";

import { BINARY } from "../support/binary.ts";
import { issueCertificate } from "../support/certificates.ts";
import { testWith } from "../support/needs.ts";
import { compileModule } from "../support/pkcs11_modules.ts";
import { roleOf, RolesServe, writeRoles } from "../support/roles_scenario.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";
import { PIN, SoftHsm } from "../support/soft_hsm.ts";
import { runOnTerminal } from "../support/terminal.ts";

const NAMES = ["a", "b", "c", "d", "e"];

/** A token with a certificate and its key, which needs a PIN for each signature. */
class TokenScene implements AsyncDisposable {
  readonly log: string;
  readonly file: string;

  private constructor(
    readonly scenario: SessionScenario,
    readonly hsm: SoftHsm,
    readonly module: string,
  ) {
    this.log = hsm.directory.join("calls");
    this.file = hsm.directory.join("roles.json");
  }

  static async create(): Promise<TokenScene> {
    const scenario = await SessionScenario.create();
    const hsm = new SoftHsm();
    const token = await hsm.token("machine");
    const leaf = await issueCertificate(scenario.trustAnchor, { subject: "/CN=machine" });
    await token.importKey(leaf.keyPath, { id: "01", label: "key", alwaysAuthenticate: true });
    await token.importCertificate(leaf.certificatePath, { id: "01", label: "key" });
    return new TokenScene(scenario, hsm, await compileModule("wrapper"));
  }

  get env(): Record<string, string> {
    return { ...this.hsm.env, WRAPPER_LOG: this.log, WRAPPER_HANG: "C_Sign=50" };
  }

  flags(uri: string): string[] {
    return ["--certificate", uri, "--private-key", uri, "--pkcs11-lib", this.module];
  }

  /** Returns the calls of these functions so far. */
  calls(...names: readonly string[]): string[] {
    return Deno.readTextFileSync(this.log).split("\n")
      .filter((line) => names.includes(line.split(" ")[0] ?? ""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hsm[Symbol.dispose]();
    await this.scenario[Symbol.asyncDispose]();
  }
}

testWith(["linux", "binary", "softhsm"], "roles use a token one after the other", async () => {
  await using scene = await TokenScene.create();
  const uri = `pkcs11:token=machine;object=key?pin-value=${PIN}`;
  const roles = NAMES.map((name) => roleOf(name));
  await using serve = await RolesServe.start(scene.scenario, scene.file, roles, {
    flags: [...scene.flags(uri), "--reuse-pin"],
    env: scene.env,
  });
  assertEquals(scene.scenario.emulator.sessions.length, NAMES.length);
  const signature = ["C_SignInit", `C_Login 2 ${PIN}`, "C_Sign"];
  assertEquals(
    scene.calls("C_SignInit", "C_Login", "C_Sign").filter((call) => !call.startsWith("C_Login 1")),
    NAMES.flatMap(() => signature),
  );
  // One login and one session for all of them; none stays open.
  assertEquals(scene.calls("C_Login").filter((call) => call.startsWith("C_Login 1")).length, 1);
  assertEquals(scene.calls("C_OpenSession").length, scene.calls("C_CloseSession").length);
  // A reload signs for the new roles only.
  const before = scene.calls("C_Sign").length;
  writeRoles(scene.file, [...roles, roleOf("f"), roleOf("g")]);
  assert((await serve.reload()).includes("added f, g; 5 unchanged"));
  assertEquals(scene.calls("C_Sign").length, before + 2);
});

testWith(
  ["linux", "binary", "softhsm", "python-client"],
  "the PINs of a token are asked for once for all roles",
  async () => {
    await using scene = await TokenScene.create();
    // All roles are refused, so that serve ends by itself.
    scene.scenario.emulator.refusedProfiles.add(ARNS.profile);
    writeRoles(scene.file, NAMES.map((name) => roleOf(name)));
    const { code, screen, stderr } = await runOnTerminal([
      "env",
      ...Object.entries(scene.env).map(([name, value]) => `${name}=${value}`),
      ...[BINARY, "serve", "--port=0", "--roles", scene.file],
      ...scene.flags("pkcs11:token=machine;object=key"),
      ...scene.scenario.serviceFlags,
    ], [
      ['The PIN of token "machine": ', `${PIN}\r`],
      ['The PIN for signing with key "key" of token "machine": ', `${PIN}\r`],
    ]);
    assertEquals(code, 4, stderr);
    assertEquals(screen.match(/The PIN/g)?.length, 2, screen);
    const { requests } = scene.scenario.emulator;
    assertEquals(requests.map(({ refusal, outcome }) => [refusal, outcome.status]), [
      ...NAMES.map(() => [null, 403]),
    ]);
  },
);
