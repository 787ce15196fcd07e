import { assert, assertEquals, assertMatch } from "@std/assert";
import { isRetryable, toHelperError } from "../../../plugins/tpm/tss/error_messages.ts";
import {
  baseCodeOf,
  type Operation,
  TPM_RC,
  TpmError,
  TSS2_RC,
} from "../../../plugins/tpm/tss/return_codes.ts";

Deno.test("baseCodeOf() removes parameter, handle and session numbers, and the resource manager's layer", () => {
  for (
    const [code, baseCode] of [
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
  ) assertEquals(baseCodeOf(code).toString(16), baseCode.toString(16), code.toString(16));
});

/** The operation that returns a code; default: sign. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
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

for (const [name, code] of Object.entries({ ...TPM_RC, ...TSS2_RC })) {
  Deno.test(`toHelperError() has a message with advice for ${name}`, () => {
    const error = toHelperError(
      new TpmError(OPERATIONS[name] ?? "sign", code),
      "handle:0x81000001",
    );
    assert(error.message.startsWith("handle:0x81000001: "));
    assert(error.message.includes(`0x${code.toString(16).toUpperCase()}`), error.message);
    assertEquals(error.message.includes("\n"), false);
    assertEquals(error.exitCode, 3);
    assertEquals(error.message.includes("failed at"), false, error.message);
  });
}

Deno.test("toHelperError() includes the stack's description of a code without a message", () => {
  const { message } = toHelperError(new TpmError("hash", 0x70018), "k.pem");
  assertMatch(message, /^k\.pem: .* failed at "hash" with 0x70018 \(esapi:.*\)$/);
});

Deno.test("isRetryable() is true for temporary errors, and false for password errors", () => {
  const retryable = (operation: Operation, code: number) =>
    isRetryable(new TpmError(operation, code));
  for (const code of [0x902, 0x903, 0x905, 0x908, 0x90a, 0x920, 0x922, 0x923, 0xb0902, 0x18b]) {
    assert(retryable("sign", code), code.toString(16));
  }
  for (const code of [0x98e, 0x9a2, 0x921, 0x99d, 0x1df, 0x19c, 0x101, 0xa000a]) {
    assertEquals(retryable("sign", code), false, code.toString(16));
  }
  assertEquals(retryable("find-key", 0x18b), false);
  assertEquals(retryable("policy-pcr", 0x1c4), false);
  assertEquals(isRetryable(new Error("another")), false);
});
