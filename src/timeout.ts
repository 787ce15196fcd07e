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
  const late = Promise.withResolvers<L>();
  const timer = setTimeout(() => {
    try {
      late.resolve(onTimeout());
    } catch (thrown) {
      late.reject(thrown);
    }
  }, milliseconds);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
