/**
 * Yields to other work between reads that are always ready.
 *
 * A read whose data is ready continues in a microtask. So a peer that never stops sending would keep
 * timers, signals and other requests waiting for ever.
 *
 * @module
 */

/** Maximum time without yielding, milliseconds. */
const MAX_UNINTERRUPTED = 10;

/** Turns of readers: one that has run for too long yields. */
export class FairTurns {
  #since = performance.now();

  /** Lets timers, signals and requests run if the time is up; call it before each read. */
  async next(): Promise<void> {
    if (performance.now() - this.#since < MAX_UNINTERRUPTED) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#since = performance.now();
  }
}
