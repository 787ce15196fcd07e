import { assert, assertEquals, assertMatch } from "@std/assert";
import { explain, isRetryable } from "../../../plugins/tpm/tss/error_messages.ts";
import {
  meaningOf,
  type Step,
  TPM_RC,
  TpmError,
  TSS2_RC,
} from "../../../plugins/tpm/tss/return_codes.ts";

Deno.test("meaningOf() takes off parameter, handle and session, and the resource manager's layer", () => {
  for (
    const [code, meaning] of [
      [0x98e, TPM_RC.AUTH_FAIL],
      [0x9a2, TPM_RC.BAD_AUTH],
      [0x99d, TPM_RC.POLICY_FAIL],
      [0x1c4, TPM_RC.VALUE],
      [0x2d5, TPM_RC.SIZE],
      [0x18b, TPM_RC.HANDLE],
      [0x1df, TPM_RC.INTEGRITY],
      [0x19c, TPM_RC.KEY],
      [0x902, TPM_RC.OBJECT_MEMORY],
      [0x921, TPM_RC.LOCKOUT],
      [0x100, TPM_RC.INITIALIZE],
      [0xb0902, TPM_RC.OBJECT_MEMORY],
      [0xc098e, TPM_RC.AUTH_FAIL],
      [0xb0008, 0xb0008],
      [0xa000a, TSS2_RC.TCTI_IO_ERROR],
    ] as const
  ) assertEquals(meaningOf(code).toString(16), meaning.toString(16), code.toString(16));
});

/** Where each of these codes comes from, when that is not a signature. */
const STEPS: Readonly<Record<string, Step>> = {
  VALUE: "policy-pcr",
  SIZE: "load",
  RANGE: "load",
  TAG: "load",
  SELECTOR: "load",
  INSUFFICIENT: "load",
  RESERVED_BITS: "load",
  MU_BAD_SIZE: "unmarshal",
  MU_BAD_VALUE: "unmarshal",
  MU_INSUFFICIENT_BUFFER: "unmarshal",
};
/** Codes that only a mistake in this program or a broken TPM gives: told with their names. */
const UNEXPLAINED = ["TICKET", "ESYS_GENERAL_FAILURE"];

for (const [name, code] of Object.entries({ ...TPM_RC, ...TSS2_RC })) {
  Deno.test(`explain() has words that say what to do for ${name}`, () => {
    const error = explain(new TpmError(STEPS[name] ?? "sign", code), "handle:0x81000001");
    assert(error.message.startsWith("handle:0x81000001: "));
    assert(error.message.includes(`0x${code.toString(16).toUpperCase()}`), error.message);
    assertEquals(error.message.includes("\n"), false);
    assertEquals(error.exitCode, 3);
    const isGeneral = error.message.includes("failed at");
    assertEquals(isGeneral, UNEXPLAINED.includes(name), error.message);
  });
}

Deno.test("explain() gives the stack's own words for a code that it does not know", () => {
  const { message } = explain(new TpmError("hash", 0x70018), "k.pem");
  assertMatch(message, /^k\.pem: .* failed at "hash" with 0x70018 \(esapi:.*\)$/);
});

Deno.test("isPassing() is true for what waiting helps against, and for nothing about passwords", () => {
  const passing = (step: Step, code: number) => isRetryable(new TpmError(step, code));
  for (const code of [0x902, 0x903, 0x905, 0x908, 0x90a, 0x920, 0x922, 0x923, 0xb0902, 0x18b]) {
    assert(passing("sign", code), code.toString(16));
  }
  for (const code of [0x98e, 0x9a2, 0x921, 0x99d, 0x1df, 0x19c, 0x101, 0xa000a]) {
    assertEquals(passing("sign", code), false, code.toString(16));
  }
  assertEquals(passing("find-key", 0x18b), false);
  assertEquals(passing("policy-pcr", 0x1c4), false);
  assertEquals(isRetryable(new Error("another")), false);
});
