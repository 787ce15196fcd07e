/**
 * Comparison of secrets.
 *
 * @module
 */

/**
 * Returns whether both texts are equal. The time depends on their length only: every character is
 * compared, whatever the result so far. Characters before `start` are not compared.
 *
 * Compares strings. Encoding them for `@std/crypto` at each request would take a fifth of the time
 * of a whole response.
 */
export function timingSafeEqual(a: string, b: string, start = 0): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = start; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
