/**
 * Core dumps of the commands that hold secrets for long.
 *
 * @module
 */
import type { System } from "./system.ts";

/** Keeps the memory of this process out of core dumps; warns if the system refused. */
export async function disableCoreDumps(system: System): Promise<void> {
  if (await system.protectMemory()) return;
  system.say("warning: core dumps cannot be disabled; a crash may write secrets to a file");
}
