/**
 * Disables core dumps for commands that keep secrets in memory.
 *
 * @module
 */
import type { System } from "./system.ts";

/** Excludes this process's memory from core dumps. Warns if the system refuses. */
export async function disableCoreDumps(system: System): Promise<void> {
  if (await system.protectMemory()) return;
  system.log("warning: core dumps cannot be disabled; a crash may write secrets to disk");
}
