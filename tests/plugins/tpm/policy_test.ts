import { assertEquals, assertThrows } from "@std/assert";
import { parsePolicySteps, PolicyError } from "../../../plugins/tpm/auth/policy.ts";
import { WireError } from "../../../plugins/tpm/structures/wire.ts";
import { POLICY, policyPcr } from "../../support/tpm/policy_keys.ts";

const EMPTY = new Uint8Array(0);
const parse = (...commands: { code: number; parameters?: Uint8Array }[]) =>
  parsePolicySteps(commands.map(({ code, parameters = EMPTY }) => ({ code, parameters })));

Deno.test("parsePolicySteps() returns the steps in order, with needsPassword", async () => {
  const made = parse(
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
  Deno.test(`parsePolicySteps() throws PolicyError naming ${name}`, () => {
    assertThrows(() => parse(POLICY.authValue, { code }), PolicyError, name);
  });
}

Deno.test("parsePolicySteps() throws WireError for truncated parameters and trailing bytes", async () => {
  const { parameters = EMPTY } = await policyPcr(new Uint8Array(96));
  for (let length = 0; length < parameters.length; length++) {
    // The alternative form, with the digest after the selection, must not match either.
    assertThrows(
      () => parse({ code: 0x17f, parameters: parameters.subarray(0, length) }),
      WireError,
    );
  }
  for (const { code, parameters } of [POLICY.signing, POLICY.localityZero]) {
    assertThrows(() => parse({ code, parameters: parameters.subarray(1) }), WireError);
    assertThrows(() => parse({ code, parameters: Uint8Array.from([...parameters, 0]) }), WireError);
  }
  assertThrows(() => parse({ code: 0x16b, parameters: Uint8Array.of(0) }), WireError);
});
