/**
 * Checks of a keystore on the identity that the flags name, if it has checks of its own.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { type Diagnosis, isDiagnoser } from "../../keystore/types.ts";
import { createKeystoreContext } from "../keystore_context.ts";
import type { CheckContext } from "./check_context.ts";
import { type Finding, finding, type FindingName } from "./finding.ts";

const NAMES: Readonly<Record<Diagnosis["level"], FindingName>> = {
  ok: "keystore",
  note: "keystore-note",
  warning: "keystore-warning",
  problem: "keystore-problem",
};

/** Checks the source of the key. A failure to open it is reported by checkKey. */
export async function checkIdentity(
  { values, system, source, opening }: CheckContext,
): Promise<readonly Finding[]> {
  const uri = source?.privateKey ?? source?.certificate;
  if (!uri || opening.failure !== undefined) return [];
  const keystore = await system.registry(uri.scheme);
  if (!isDiagnoser(keystore)) return [];
  try {
    const found = await keystore.diagnose(uri, createKeystoreContext(values, system));
    return found.map(({ level, message }) => finding(NAMES[level], message));
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    return [finding("keystore-problem", thrown.message)];
  }
}
