/**
 * `version`: prints this build's version, which is defined in `deno.json` only.
 *
 * @module
 */
import config from "../../../deno.json" with { type: "json" };
import type { System } from "../system.ts";

/** The version of the program. */
export const VERSION: string = config.version;

/** Prints the version. */
export function version(system: System): void {
  system.write(`${VERSION}\n`);
}
