/**
 * Errors of calls into a PKCS#11 module.
 *
 * @module
 */
import type { FunctionName } from "./ffi.ts";
import { formatReturnValue } from "./return_values.ts";

/** A function of a module that returned another value than CKR_OK. */
export class CryptokiError extends Error {
  override readonly name = "CryptokiError";

  constructor(readonly call: FunctionName, readonly value: number) {
    super(`${call} failed with ${formatReturnValue(value)}`);
  }
}

/** A function of a module that did not return in time, or that another call had to wait for. */
export class CallTimeoutError extends Error {
  override readonly name = "CallTimeoutError";
}

/** Returns true for a call that failed in the module, false for an error of this program. */
export function isModuleFailure(thrown: unknown): thrown is CryptokiError | CallTimeoutError {
  return thrown instanceof CryptokiError || thrown instanceof CallTimeoutError;
}
