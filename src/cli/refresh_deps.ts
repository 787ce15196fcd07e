/**
 * What the commands that stay need of the world.
 *
 * @module
 */
import type { RefreshDeps } from "../credentials/refresh/refresher.ts";
import type { System } from "./system.ts";

/** The engine's clocks, chance and timers. */
export function refreshDeps(world: System): RefreshDeps {
  return {
    now: () => world.now(),
    monotonic: () => world.monotonic(),
    random: () => world.random(),
    startTimer: (milliseconds, then) => {
      const timer = setTimeout(then, milliseconds);
      return () => clearTimeout(timer);
    },
  };
}
