/**
 * Input of the checks: flags, system, and the key and certificate, opened once for all checks.
 *
 * @module
 */
import { type CertificateSet, openForDoctor, type OpenResult } from "./open_identity.ts";
import { readIdentitySource } from "../keystore_context.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import type { System } from "../system.ts";
import type { IdentitySource } from "../../keystore/open_identity.ts";

/** Input of every check. */
export interface CheckContext {
  readonly values: FlagValues;
  readonly system: System;
  /** Sources of key and certificate; undefined if their flags are malformed. */
  readonly source?: IdentitySource;
  /** Result of opening key and certificate. */
  readonly opening: OpenResult;
  /** The certificates, if they could be read. */
  readonly certificates?: CertificateSet;
}

/** Opens key and certificate. Never throws: checkKey reports a failure. */
export async function createCheckContext(
  values: FlagValues,
  system: System,
): Promise<CheckContext> {
  let source: IdentitySource | undefined;
  try {
    source = await readIdentitySource(values, system.platform);
  } catch (failure) {
    return { values, system, opening: { failure } };
  }
  const opening = await openForDoctor(source, values, system);
  return {
    values,
    system,
    source,
    opening,
    ...(opening.certificates ? { certificates: opening.certificates } : {}),
  };
}
