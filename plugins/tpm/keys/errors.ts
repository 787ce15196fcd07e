/**
 * What can be wrong with a TPM key before the TPM is asked, and the sentences for it.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import { DerError } from "../../../src/x509/der.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import { PolicyError } from "../auth/policy.ts";
import { WireError } from "../structures/wire.ts";

/**
 * Runs `work` and turns what the readers throw about a key into a `HelperError` naming it by
 * `label`. Other errors pass.
 */
export async function explained<T>(label: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof KeyTypeError || cause instanceof PolicyError) {
      throw new HelperError("key-unsupported", `${label}: ${cause.message}`, { cause });
    }
    if (cause instanceof DerError || cause instanceof WireError) {
      throw new HelperError(
        "key-format",
        `${label} holds a malformed or damaged TPM key (${cause.message}); make or copy it again`,
        { cause },
      );
    }
    throw cause;
  }
}
