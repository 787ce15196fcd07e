/** Monotonic clock and timer of this process, for code that waits. */
export const REAL_CLOCKS = {
  monotonic: () => performance.now(),
  sleep: (milliseconds: number) =>
    new Promise<void>((resolve) => setTimeout(resolve, milliseconds)),
};
