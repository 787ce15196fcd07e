/**
 * What the checks look at: the flags, the world, and what was opened once for all of them.
 *
 * @module
 */
import { type CertificateSet, openForDoctor, type Opening } from "./open_identity.ts";
import { identitySource } from "../keystore_context.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import type { System } from "../system.ts";
import type { IdentitySource } from "../../keystore/open_identity.ts";

/** What every check gets. */
export interface Inspection {
  readonly values: FlagValues;
  readonly system: System;
  /** Where key and certificate stand; undefined when the flags that say so are malformed. */
  readonly source?: IdentitySource;
  /** What came of opening key and certificate. */
  readonly opening: Opening;
  /** The certificates, where they could be read. */
  readonly certificates?: CertificateSet;
}

/** Opens what the flags name. Throws nothing: what fails is a finding of the check of the key. */
export async function inspect(values: FlagValues, system: System): Promise<Inspection> {
  let source: IdentitySource | undefined;
  try {
    source = identitySource(values, system.platform);
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
