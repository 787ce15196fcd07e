/**
 * A software TPM with an EC key at a persistent handle, for the benchmark.
 *
 * @module
 */
import { makeParents, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";

/** The key's handle; it has no password. */
export const HANDLE = "handle:0x81000101";
/** The same key, with a password. */
export const HANDLE_WITH_PASSWORD = "handle:0x81000102";
/** The password. */
export const PASSWORD = "keypw";

/** Starts the TPM and makes the keys. */
export async function startTpm(): Promise<SoftwareTpm> {
  const tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`
    child plain 0x81000001 -G ecc256 -a "$SIGN"; persist plain 0x81000001 0x81000101
    child pw 0x81000001 -G ecc256 -a "$SIGN" -p ${PASSWORD}; persist pw 0x81000001 0x81000102`);
  return tpm;
}
