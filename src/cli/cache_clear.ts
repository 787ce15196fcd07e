/**
 * `cache clear`: removes the sessions that `credential-process --cache` has kept.
 *
 * @module
 */
import { clearDirectory } from "../credentials/cache_directory.ts";
import type { FlagValues } from "./flag_values.ts";
import { cacheDirectory } from "./places.ts";
import { PROGRAM } from "./program.ts";
import type { World } from "./world.ts";

/** Removes them and says how many there were. */
export function cacheClear(values: FlagValues, world: World): void {
  const directory = cacheDirectory(values, world);
  const removed = clearDirectory(directory);
  world.say(
    `${PROGRAM}: removed ${removed} cached session${removed === 1 ? "" : "s"} from ${directory}`,
  );
}
