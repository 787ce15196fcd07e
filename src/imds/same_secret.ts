/**
 * Comparing secrets.
 *
 * @module
 */
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";

/** Whether both are the same, in a time that tells nothing but whether they are of one length. */
export function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
