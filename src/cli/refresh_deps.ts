/**
 * What the commands that stay need of the world.
 *
 * @module
 */
import type { RefreshDeps } from "../credentials/refresh/refresher.ts";
import type { System } from "./system.ts";

/** The engine's clocks, chance and timers. */
export function refreshDeps(system: System): RefreshDeps {
  return {
    now: () => system.now(),
    monotonic: () => system.monotonic(),
    random: () => system.random(),
    startTimer: (milliseconds, then) => {
      const timer = setTimeout(then, milliseconds);
      return () => clearTimeout(timer);
    },
  };
}
