/**
 * Timeouts and retry delays for TPM calls.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";

/** Timeouts and retry delays, in milliseconds. */
export interface Timeouts {
  /** Maximum for one response. An RSA parent made by an old TPM takes about a minute. */
  readonly response: number;
  /** Maximum for one response after SIGINT, SIGTERM or SIGHUP. */
  readonly responseAfterSignal: number;
  /** Total time for retries while the TPM is busy. */
  readonly retry: number;
  /** First delay between two attempts; doubled each time, with jitter. */
  readonly minDelay: number;
  readonly maxDelay: number;
}

/** The default timeouts. */
export const TIMEOUTS: Timeouts = {
  response: 120_000,
  responseAfterSignal: 10_000,
  retry: 15_000,
  minDelay: 15,
  maxDelay: 500,
};

/** Thrown when a TPM call times out. The call still runs, so its buffers must stay allocated. */
export class TpmTimeoutError extends Error {
  override readonly name = "TpmTimeoutError";
}

/**
 * Waits for a call. The timeout is shorter after `signal` is aborted.
 *
 * Throws {@link TpmTimeoutError}.
 */
export async function withTimeout<T>(
  call: Promise<T>,
  timeouts: Timeouts,
  signal?: AbortSignal,
): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const expire = () => timeout.reject(new TpmTimeoutError("the TPM did not respond"));
  const timers = [setTimeout(expire, timeouts.response)];
  const shorten = () => timers.push(setTimeout(expire, timeouts.responseAfterSignal));
  if (signal?.aborted) shorten();
  else signal?.addEventListener("abort", shorten);
  try {
    return await Promise.race([call, timeout.promise]);
  } finally {
    timers.forEach((timer) => clearTimeout(timer));
    signal?.removeEventListener("abort", shorten);
  }
}

/** Returns the delay before attempt number `attempt` (from 1); `random` is 0 to 1. */
export function backoffDelay(attempt: number, timeouts: Timeouts, random: number): number {
  const whole = Math.min(timeouts.minDelay * 2 ** (attempt - 1), timeouts.maxDelay);
  return whole * (0.5 + random / 2);
}

/** Returns the error for a TPM that does not respond. */
export function toTimeoutError(label: string, tcti: string, cause: unknown): HelperError {
  return new HelperError(
    "keystore-unavailable",
    `${label}: the TPM at ${tcti} does not respond; check that it works and that no other program ` +
      "holds it",
    { cause },
  );
}
