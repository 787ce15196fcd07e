/**
 * `cache clear`: removes the sessions that `credential-process --cache` has kept.
 *
 * @module
 */
import { clearDirectory } from "../../credentials/cache/cache_directory.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { cacheDirectory } from "../paths.ts";
import { PROGRAM } from "../program.ts";
import type { System } from "../system.ts";

/** Removes them and says how many there were. */
export function cacheClear(values: FlagValues, system: System): void {
  const directory = cacheDirectory(values, system);
  const removed = clearDirectory(directory);
  system.say(
    `${PROGRAM}: removed ${removed} cached session${removed === 1 ? "" : "s"} from ${directory}`,
  );
}
