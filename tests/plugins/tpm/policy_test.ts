import { assertEquals, assertThrows } from "@std/assert";
import { PolicyError, policySteps } from "../../../plugins/tpm/auth/policy.ts";
import { WireError } from "../../../plugins/tpm/structures/wire.ts";
import { POLICY, policyPcr } from "../../support/tpm/policy_keys.ts";

const NOTHING = new Uint8Array(0);
const steps = (...commands: { code: number; parameters?: Uint8Array }[]) =>
  policySteps(commands.map(({ code, parameters = NOTHING }) => ({ code, parameters })));

Deno.test("policySteps() gives the steps in their order, and says which need the password", async () => {
  const made = steps(
    POLICY.localityZero,
    await policyPcr(new Uint8Array(96)),
    POLICY.password,
    POLICY.signing,
    POLICY.authValue,
  );
  assertEquals(made.map(({ name, needsPassword }) => [name, needsPassword]), [
    ["PolicyLocality", false],
    ["PolicyPCR", false],
    ["PolicyPassword", true],
    ["PolicyCommandCode", false],
    ["PolicyAuthValue", true],
  ]);
});

for (
  const [code, name] of [
    [0x149, "PolicyNV"],
    [0x151, "PolicySecret"],
    [0x160, "PolicySigned"],
    [0x16a, "PolicyAuthorize"],
    [0x171, "PolicyOR"],
    [0x187, "PolicyPhysicalPresence"],
    [0x1ee, "0x1ee"],
  ] as const
) {
  Deno.test(`policySteps() throws PolicyError naming ${name}`, () => {
    assertThrows(() => steps(POLICY.authValue, { code }), PolicyError, name);
  });
}

Deno.test("policySteps() throws WireError for parameters that are cut off or go on", async () => {
  const { parameters = NOTHING } = await policyPcr(new Uint8Array(96));
  for (let length = 0; length < parameters.length; length++) {
    // Without its last bytes the digest may still be one, behind its selection: never both.
    assertThrows(
      () => steps({ code: 0x17f, parameters: parameters.subarray(0, length) }),
      WireError,
    );
  }
  for (const { code, parameters } of [POLICY.signing, POLICY.localityZero]) {
    assertThrows(() => steps({ code, parameters: parameters.subarray(1) }), WireError);
    assertThrows(() => steps({ code, parameters: Uint8Array.from([...parameters, 0]) }), WireError);
  }
  assertThrows(() => steps({ code: 0x16b, parameters: Uint8Array.of(0) }), WireError);
});
