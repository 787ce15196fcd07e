/**
 * When credentials are fetched again. Pure: time and chance come in.
 *
 * A session is renewed at half of its life, or, where that is later, 25 minutes before its end: SDKs
 * begin to complain when under 20 minutes remain (botocore), and five minutes are left for retries.
 * The first renewal after a start falls anywhere in the span before that, so that machines that were
 * started together do not call together; later ones keep the distance they have then.
 *
 * @module
 */
import type { ErrorCode } from "../../errors.ts";

const MINUTE = 60_000;

/** Distances in time, milliseconds. */
export const REFRESH_LIMITS = {
  /** A long session is renewed when this much of it remains. */
  remaining: 25 * MINUTE,
  /** After a failure: the longest first pause; it doubles with each further failure. */
  firstPause: 1_000,
  /** The longest pause of all. */
  maxDelay: 5 * MINUTE,
  /** A session of a shorter life is a sign of a wrong clock. */
  shortLife: 10_000,
  /** Sessions of a short life, in a row, that are renewed without a longer pause. */
  shortSessions: 10,
  /** The pauses between such sessions, at first and later. */
  shortPause: { first: 250, later: 5_000 },
  /** After a refusal, which time alone does not heal. */
  refusedPause: 30 * MINUTE,
} as const;

/** The share of the span in which the first renewal falls, and later ones: from here to its end. */
const SPREAD = { first: 0.25, later: 0.85 } as const;

/**
 * Milliseconds from the start of a session to its renewal.
 *
 * @param life of the session, milliseconds
 * @param first whether it is the first session since the program started
 * @param random 0 to 1, 1 excluded
 */
export function renewalDelay(life: number, first: boolean, random: number): number {
  const latest = Math.max(life / 2, life - REFRESH_LIMITS.remaining);
  const earliest = latest * (first ? SPREAD.first : SPREAD.later);
  return earliest + random * (latest - earliest);
}

/**
 * Returns the shortest time to the renewal of a session, milliseconds; 0 unless its life is short.
 *
 * @param shortSessions of a short life in a row, this one included
 */
export function shortestDelay(shortSessions: number): number {
  if (shortSessions === 0) return 0;
  const { first, later } = REFRESH_LIMITS.shortPause;
  return shortSessions > REFRESH_LIMITS.shortSessions ? later : first;
}

/**
 * Milliseconds from a failure to the next attempt.
 *
 * @param failures in a row, at least 1
 * @param code of the last one
 * @param random 0 to 1, 1 excluded
 */
export function backoffDelay(failures: number, code: ErrorCode, random: number): number {
  if (code === "service-refused") return REFRESH_LIMITS.refusedPause * (0.9 + 0.2 * random);
  const max = REFRESH_LIMITS.firstPause * 2 ** Math.min(failures - 1, 30);
  return random * Math.min(max, REFRESH_LIMITS.maxDelay);
}
