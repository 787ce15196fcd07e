/**
 * Text of a time.
 *
 * @module
 */

/** Formats a time as SDKs read it: `YYYY-MM-DDThh:mm:ssZ`. */
export function formatTime(time: Date): string {
  return time.toISOString().replace(/\.\d{3}Z$/, "Z");
}
