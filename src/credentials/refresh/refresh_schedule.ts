/**
 * Schedule of refreshes and retries. Pure: time and randomness are parameters.
 *
 * A session is renewed at half its lifetime or 25 minutes before its end, whichever is later. botocore
 * warns when under 20 minutes remain, and five minutes are left for retries. The first renewal is spread
 * over the time before that, so that machines that start together do not call together. Later renewals
 * keep that distance.
 *
 * @module
 */
import type { ErrorCode } from "../../errors.ts";

const MINUTE = 60_000;

/** Limits of the schedule; times in milliseconds. */
export const REFRESH_LIMITS = {
  /** Remaining lifetime at which a long session is renewed. */
  remaining: 25 * MINUTE,
  /** Maximum delay after the first failure; it doubles with each further failure. */
  firstDelay: 1_000,
  /** Maximum delay after any number of failures. */
  maxDelay: 5 * MINUTE,
  /** A shorter lifetime of a session indicates a wrong clock. */
  shortLifetime: 10_000,
  /** Number of short sessions in a row that are renewed after the first delay. */
  shortSessions: 10,
  /** Delays between short sessions, at first and later. */
  shortDelay: { first: 250, later: 5_000 },
  /** Delay after a refusal, which is not a temporary error. */
  refusedDelay: 30 * MINUTE,
} as const;

/** Start of the range of the renewal, as a fraction of its end, for the first and later renewals. */
const SPREAD = { first: 0.25, later: 0.85 } as const;

/**
 * Returns the milliseconds from the start of a session to its renewal.
 *
 * @param lifetime of the session, milliseconds
 * @param first true for the first session since the program started
 * @param random 0 to 1, 1 excluded
 */
export function renewalDelay(lifetime: number, first: boolean, random: number): number {
  const latest = Math.max(lifetime / 2, lifetime - REFRESH_LIMITS.remaining);
  const earliest = latest * (first ? SPREAD.first : SPREAD.later);
  return earliest + random * (latest - earliest);
}

/**
 * Returns the minimum time to the renewal of a session, milliseconds; 0 unless its lifetime is short.
 *
 * @param shortSessions number of short sessions in a row, including this one
 */
export function minRenewalDelay(shortSessions: number): number {
  if (shortSessions === 0) return 0;
  const { first, later } = REFRESH_LIMITS.shortDelay;
  return shortSessions > REFRESH_LIMITS.shortSessions ? later : first;
}

/**
 * Returns the milliseconds from a failure to the next attempt.
 *
 * @param failures number of failures in a row, at least 1
 * @param code of the last failure
 * @param random 0 to 1, 1 excluded
 */
export function backoffDelay(failures: number, code: ErrorCode, random: number): number {
  if (code === "service-refused") return REFRESH_LIMITS.refusedDelay * (0.9 + 0.2 * random);
  const max = REFRESH_LIMITS.firstDelay * 2 ** Math.min(failures - 1, 30);
  return random * Math.min(max, REFRESH_LIMITS.maxDelay);
}
