/**
 * Using the TPM: one piece of work at a time in a process, again when the TPM is busy, and in words
 * when it refuses.
 *
 * @module
 */
import { explain, isRetryable } from "../tss/error_messages.ts";
import { backoffDelay, LIMITS, noAnswer, TpmTimeoutError } from "../tss/timeouts.ts";
import { TpmError } from "../tss/return_codes.ts";
import { chooseTcti, DeviceBusyError, SURROUNDINGS, type Tcti } from "../tss/tcti.ts";
import { type TpmAccess, Transaction } from "./transaction.ts";

/** One piece of work at a time in a process: the TPM does no two things at once. */
let last: Promise<unknown> = Promise.resolve();

/** Waits for the work before, then does this. */
export function runExclusive<T>(work: () => Promise<T>): Promise<T> {
  const done = last.then(work);
  last = done.catch(() => {});
  return done;
}

/**
 * Runs `work` with the TPM, from its beginning again when the TPM is busy, within limits.
 *
 * Throws {@link PasswordRefusedError}, or a `HelperError` in words.
 */
export async function withTpm<T>(
  access: TpmAccess,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const { context, label, limits = LIMITS, random = Math.random } = access;
  const tcti = chooseTcti({ ...SURROUNDINGS, environment: (name) => context.environment(name) });
  context.debug(`tpm: ${tcti.configuration} (by ${tcti.source})`);
  const started = context.monotonic();
  for (let attempt = 1;; attempt++) {
    try {
      return await runOnce(access, tcti, work);
    } catch (thrown) {
      const canRetry = isRetryable(thrown) || thrown instanceof DeviceBusyError;
      if (!canRetry || context.monotonic() - started > limits.busy) {
        if (thrown instanceof TpmError) throw explain(thrown, label);
        if (thrown instanceof DeviceBusyError) throw thrown.explained(label);
        if (thrown instanceof TpmTimeoutError) throw noAnswer(label, tcti.configuration, thrown);
        throw thrown;
      }
      context.debug(`tpm: try ${attempt}: ${thrown instanceof Error ? thrown.message : ""}; again`);
      await context.sleep(backoffDelay(attempt, limits, random()));
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
    transaction.throwIfInterrupted(); // whatever failed besides
    throw thrown;
  } finally {
    await transaction.close();
  }
}
