import type { RefreshDeps } from "../../src/credentials/refresh/refresher.ts";

interface Timer {
  readonly due: number;
  readonly then: () => void;
}

/** Clocks that move when the test says so, with timers on the steady one. */
export class FakeClock implements RefreshDeps {
  /** Milliseconds of both clocks. */
  #steady = 0;
  #wall: number;
  readonly #timers = new Set<Timer>();

  constructor(start = "2026-01-01T00:00:00Z", public chance = 0.5) {
    this.#wall = new Date(start).getTime();
  }

  now(): Date {
    return new Date(this.#wall);
  }

  monotonic(): number {
    return this.#steady;
  }

  random(): number {
    return this.chance;
  }

  startTimer(milliseconds: number, then: () => void): () => void {
    const timer = { due: this.#steady + milliseconds, then };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves the wall clock alone, as when somebody sets it or the machine has slept. */
  jump(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** Lets time pass, timer by timer, with all that follows from each. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#steady + milliseconds;
    for (;;) {
      await settle();
      const next = [...this.#timers].sort((a, b) => a.due - b.due)[0];
      if (!next || next.due > end) break;
      this.#timers.delete(next);
      this.#move(next.due - this.#steady);
      next.then();
    }
    this.#move(end - this.#steady);
    await settle();
  }

  #move(milliseconds: number): void {
    this.#steady += milliseconds;
    this.#wall += milliseconds;
  }
}

/** Lets everything run that waits for no timer. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
