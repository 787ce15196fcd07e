/**
 * Clocks, randomness and timers for long-running commands.
 *
 * @module
 */
import type { RefreshDeps } from "../credentials/refresh/refresher.ts";
import type { System } from "./system.ts";

/** Timeout for a running request to the service when the program ends, milliseconds. */
export const STOP_TIMEOUT = 2_000;

/** Creates the dependencies of the {@link Refresher}. */
export function createRefreshDeps(system: System): RefreshDeps {
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
