/**
 * Runs work with the TPM, with error messages. It runs one at a time in a process, with retries if
 * the TPM is busy.
 *
 * @module
 */
import { isRetryable, toHelperError } from "../tss/error_messages.ts";
import { backoffDelay, TIMEOUTS, toTimeoutError, TpmTimeoutError } from "../tss/timeouts.ts";
import { TpmError } from "../tss/return_codes.ts";
import { chooseTcti, DeviceBusyError, SYSTEM_DEPS, type Tcti } from "../tss/tcti.ts";
import { type TpmAccess, Transaction } from "./transaction.ts";

/** The last work of the queue, because the TPM runs one command at a time. */
let last: Promise<unknown> = Promise.resolve();

/** Runs `work` after all earlier work has finished. */
export function runExclusive<T>(work: () => Promise<T>): Promise<T> {
  const done = last.then(work);
  last = done.catch(() => {});
  return done;
}

/**
 * Runs `work` in a transaction. While the TPM is busy, runs it again from the start, up to the
 * retry timeout.
 *
 * Throws `PasswordRejectedError` or `HelperError`.
 */
export async function withTpm<T>(
  access: TpmAccess,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const { context, label, timeouts = TIMEOUTS, random = Math.random } = access;
  const tcti = chooseTcti({ ...SYSTEM_DEPS, environment: (name) => context.environment(name) });
  context.debug(`tpm: ${tcti.configuration} (from ${tcti.source})`);
  const started = context.monotonic();
  for (let attempt = 1;; attempt++) {
    try {
      return await runOnce(access, tcti, work);
    } catch (thrown) {
      const canRetry = isRetryable(thrown) || thrown instanceof DeviceBusyError;
      if (!canRetry || context.monotonic() - started > timeouts.retry) {
        if (thrown instanceof TpmError) throw toHelperError(thrown, label);
        if (thrown instanceof DeviceBusyError) throw thrown.toHelperError(label);
        if (thrown instanceof TpmTimeoutError) {
          throw toTimeoutError(label, tcti.configuration, thrown);
        }
        throw thrown;
      }
      context.debug(
        `tpm: attempt ${attempt}: ${thrown instanceof Error ? thrown.message : ""}; retrying`,
      );
      await context.sleep(backoffDelay(attempt, timeouts, random()));
    }
  }
}

async function runOnce<T>(
  access: TpmAccess,
  tcti: Tcti,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const transaction = await Transaction.open(access, tcti);
  try {
    const result = await work(transaction);
    transaction.throwIfInterrupted();
    return result;
  } catch (thrown) {
    transaction.throwIfInterrupted(); // before any other error
    throw thrown;
  } finally {
    await transaction.close();
  }
}
