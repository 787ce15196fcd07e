/**
 * What the commands that stay need of the world.
 *
 * @module
 */
import type { RefreshEffects } from "../credentials/refresh/refresher.ts";
import type { World } from "./system.ts";

/** The engine's clocks, chance and timers. */
export function refreshEffects(world: World): RefreshEffects {
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
