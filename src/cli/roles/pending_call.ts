/**
 * Call that is requested at any time and runs once at a time.
 *
 * @module
 */

/**
 * Function that runs after each request. Requests during a run, and before the start, become one
 * run.
 */
export class PendingCall {
  #isRequested = false;
  #isRunning = false;
  #run: (() => Promise<void>) | undefined;

  /** Requests a run. */
  request(): void {
    this.#isRequested = true;
    void this.#runRequested();
  }

  /** Starts runs. `run` must not throw. */
  start(run: () => Promise<void>): void {
    this.#run = run;
    void this.#runRequested();
  }

  async #runRequested(): Promise<void> {
    if (this.#isRunning || !this.#run) return;
    this.#isRunning = true;
    while (this.#isRequested) {
      this.#isRequested = false;
      await this.#run();
    }
    this.#isRunning = false;
  }
}
