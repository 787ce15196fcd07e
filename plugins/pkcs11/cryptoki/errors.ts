/**
 * Errors of calls into a PKCS#11 module.
 *
 * @module
 */
import type { FunctionName } from "./ffi.ts";
import { formatReturnValue } from "./return_values.ts";

/** Error for a module function that returned another value than CKR_OK. */
export class CryptokiError extends Error {
  override readonly name = "CryptokiError";

  constructor(readonly call: FunctionName, readonly value: number) {
    super(`${call} failed with ${formatReturnValue(value)}`);
  }
}

/** Error for a module function that timed out, or that is blocked by one that timed out. */
export class CallTimeoutError extends Error {
  override readonly name = "CallTimeoutError";
}

/** Returns true for a call that failed in the module, false for an error of this program. */
export function isModuleFailure(thrown: unknown): thrown is CryptokiError | CallTimeoutError {
  return thrown instanceof CryptokiError || thrown instanceof CallTimeoutError;
}
