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

/** Time after which an operation is slow, milliseconds. */
const BRIEF = 50;
const SLOW = Symbol("slow");

/**
 * Waits like {@link withTimeout} for an operation of the runtime: a file, a connection, a call of a library.
 *
 * Deno 2.9 takes 9 ms to load `setTimeout`, half the time that it needs to start. So the first 50 ms are
 * measured by Atomics, which need nothing. They do not keep the event loop running, but a pending operation
 * does. They keep 1 KB until their time is over, even for a wait that has ended.
 */
export async function withOperationTimeout<T, L>(
  operation: PromiseLike<T>,
  milliseconds: number,
  onTimeout: () => L,
): Promise<T | L> {
  const brief = Math.min(milliseconds, BRIEF);
  const memory = new Int32Array(new SharedArrayBuffer(4));
  const { value } = Atomics.waitAsync(memory, 0, 0, brief);
  try {
    const slow = Promise.resolve(value).then((): typeof SLOW => SLOW);
    const result = await Promise.race([operation, slow]);
    if (result !== SLOW) return result;
  } finally {
    Atomics.notify(memory, 0);
  }
  return await withTimeout(operation, milliseconds - brief, onTimeout);
}
