import { assertEquals, assertRejects } from "@std/assert";
import { type ErrorCode, HelperError } from "../../src/errors.ts";

/** Returns the message of the `HelperError` with this code that `action` rejects with. */
export async function refusal(action: () => Promise<unknown>, code: ErrorCode): Promise<string> {
  const error = await assertRejects(action, HelperError);
  assertEquals(error.code, code, error.message);
  return error.message;
}
