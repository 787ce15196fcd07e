import type { RefreshDeps } from "../../src/credentials/refresh/refresher.ts";

interface Timer {
  readonly due: number;
  readonly then: () => void;
}

/** Clocks that the test moves, with timers on the monotonic one. */
export class FakeClock implements RefreshDeps {
  /** Milliseconds of both clocks. */
  #monotonic = 0;
  #wall: number;
  readonly #timers = new Set<Timer>();

  constructor(start = "2026-01-01T00:00:00Z", public chance = 0.5) {
    this.#wall = new Date(start).getTime();
  }

  now(): Date {
    return new Date(this.#wall);
  }

  monotonic(): number {
    return this.#monotonic;
  }

  random(): number {
    return this.chance;
  }

  startTimer(milliseconds: number, then: () => void): () => void {
    const timer = { due: this.#monotonic + milliseconds, then };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Number of active timers. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves only the wall clock, like a clock change or a sleep of the machine. */
  jump(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** Lets time pass, timer by timer, with all consequences of each. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#monotonic + milliseconds;
    for (;;) {
      await settle();
      const next = [...this.#timers].sort((a, b) => a.due - b.due)[0];
      if (!next || next.due > end) break;
      this.#timers.delete(next);
      this.#move(next.due - this.#monotonic);
      next.then();
    }
    this.#move(end - this.#monotonic);
    await settle();
  }

  #move(milliseconds: number): void {
    this.#monotonic += milliseconds;
    this.#wall += milliseconds;
  }
}

/** Runs everything that does not wait for a timer. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
