/**
 * Error messages for keys that are invalid or unsupported.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import { DerError } from "../../../src/x509/der.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import { PolicyError } from "../auth/policy.ts";
import { WireError } from "../structures/wire.ts";

/**
 * Runs `work` and converts parser errors to a `HelperError`; `label` names the key. Rethrows other
 * errors.
 */
export async function withErrorMessages<T>(label: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof KeyTypeError || cause instanceof PolicyError) {
      throw new HelperError("key-unsupported", `${label}: ${cause.message}`, { cause });
    }
    if (cause instanceof DerError || cause instanceof WireError) {
      throw new HelperError(
        "key-format",
        `${label}: the TPM key is malformed or damaged (${cause.message}); copy or make it again`,
        { cause },
      );
    }
    throw cause;
  }
}
