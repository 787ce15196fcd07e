/**
 * Difference between this machine's clock and a server's, by a response's `Date` header. Pure.
 *
 * @module
 */

/**
 * Returns by how many milliseconds this machine's clock is ahead of the server's. A negative result means
 * slow; 0 means equal within the header's precision. `before` and `after` enclose the request.
 *
 * Returns undefined for a header that is absent or is not a date.
 */
export function clockDifference(
  header: string | undefined,
  before: Date,
  after: Date,
): number | undefined {
  const theirs = new Date(header ?? "").getTime();
  if (Number.isNaN(theirs)) return undefined;
  // The header has whole seconds.
  const ahead = before.getTime() - (theirs + 1000);
  const late = theirs - after.getTime();
  return ahead > 0 ? ahead : late > 0 ? -late : 0;
}
