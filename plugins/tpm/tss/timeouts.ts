/**
 * How long the TPM is waited for: the one table, and the waiting.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";

/** Limits, in milliseconds. */
export interface Limits {
  /** For one answer. The slowest command, an RSA parent made by an old TPM, takes about a minute. */
  readonly answer: number;
  /** For the answer to a command that runs when the process is asked to end. */
  readonly answerWhenEnding: number;
  /** For a TPM that is busy: in all, and between tries (doubled each time, with a random share). */
  readonly busy: number;
  readonly firstPause: number;
  readonly maxDelay: number;
}

/** The limits in use. */
export const LIMITS: Limits = {
  answer: 120_000,
  answerWhenEnding: 10_000,
  busy: 15_000,
  firstPause: 15,
  maxDelay: 500,
};

/** Thrown when a call into the TPM does not end; it goes on, and its memory must be left alone. */
export class TpmTimeoutError extends Error {
  override readonly name = "NoAnswerError";
}

/**
 * Waits for a call as long as the limits allow; less when `signal` is aborted. Throws
 * {@link TpmTimeoutError} after that.
 */
export async function withTimeout<T>(
  call: Promise<T>,
  limits: Limits,
  signal?: AbortSignal,
): Promise<T> {
  const givenUp = Promise.withResolvers<never>();
  const giveUp = () => givenUp.reject(new TpmTimeoutError("the TPM does not answer"));
  const timers = [setTimeout(giveUp, limits.answer)];
  const end = () => timers.push(setTimeout(giveUp, limits.answerWhenEnding));
  if (signal?.aborted) end();
  else signal?.addEventListener("abort", end);
  try {
    return await Promise.race([call, givenUp.promise]);
  } finally {
    timers.forEach((timer) => clearTimeout(timer));
    signal?.removeEventListener("abort", end);
  }
}

/** The pause before try number `attempt` (from 1), in milliseconds; `random` is 0 to 1. */
export function backoffDelay(attempt: number, limits: Limits, random: number): number {
  const whole = Math.min(limits.firstPause * 2 ** (attempt - 1), limits.maxDelay);
  return whole * (0.5 + random / 2);
}

/** The sentence for a TPM that does not answer. */
export function noAnswer(label: string, tcti: string, cause: unknown): HelperError {
  return new HelperError(
    "keystore-unavailable",
    `${label}: the TPM at ${tcti} does not answer; another program may hold it, or it has failed`,
    { cause },
  );
}
