/**
 * Libraries that write to standard error by themselves when they are loaded.
 *
 * @module
 */

/** Variables that make them quiet: tpm2-tss, and the PKCS#11 module over it. */
const QUIET: Readonly<Record<string, string>> = {
  TSS2_LOG: "all+NONE",
  TPM2_PKCS11_LOG_LEVEL: "0", // its lowest: errors only
};

/** Sets those of the variables that the user has not set. Call it before a library is loaded. */
export function quietLibraries(): void {
  for (const [name, value] of Object.entries(QUIET)) {
    if (Deno.env.get(name) === undefined) Deno.env.set(name, value);
  }
}
