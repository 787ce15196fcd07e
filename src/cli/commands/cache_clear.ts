/**
 * `cache clear`: removes the sessions that `credential-process --cache` has stored.
 *
 * @module
 */
import { clearDirectory } from "../../credentials/cache/cache_directory.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { cacheDirectoryPath } from "../paths.ts";
import { PROGRAM } from "../program.ts";
import type { System } from "../system.ts";

/** Removes the sessions and logs their number. */
export function cacheClear(values: FlagValues, system: System): void {
  const directory = cacheDirectoryPath(values, system);
  const removed = clearDirectory(directory);
  system.log(
    `${PROGRAM}: removed ${removed} cached session${removed === 1 ? "" : "s"} from ${directory}`,
  );
}
