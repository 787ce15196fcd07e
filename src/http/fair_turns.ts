/**
 * Turns for other work between reads that are always ready.
 *
 * A read that has its data at once continues in a microtask. A peer that sends without end would so
 * keep timers, signals and other requests waiting for ever.
 *
 * @module
 */

/** Time without a turn for others, milliseconds. */
const MAX_UNINTERRUPTED = 10;

/** Measures how long one reader has had the process to itself. */
export class FairTurns {
  #since = performance.now();

  /** Lets timers, signals and requests run if it is time; call it before each read. */
  async next(): Promise<void> {
    if (performance.now() - this.#since < MAX_UNINTERRUPTED) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#since = performance.now();
  }
}
