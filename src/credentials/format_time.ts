/**
 * Text of a time.
 *
 * @module
 */

/** Formats a time as SDKs read it: `YYYY-MM-DDThh:mm:ssZ`. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, -".000Z".length)}Z`;
}
