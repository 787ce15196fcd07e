/**
 * The `handle:` keystore: registered, and refused in this version.
 *
 * @module
 */
import type { Keystore } from "../../src/keystore/types.ts";
import { unavailableKeystore } from "../../src/keystore/unavailable.ts";

/** Refuses every source with `keystore-unavailable`. */
export const keystore: Keystore = unavailableKeystore("handle");
