import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  backoffDelay,
  TIMEOUTS,
  TpmTimeoutError,
  withTimeout,
} from "../../../plugins/tpm/tss/timeouts.ts";

const SHORT = { ...TIMEOUTS, response: 40, responseAfterSignal: 10 };
const never = new Promise<number>(() => {});

Deno.test("withTimeout() returns the result, and clears its timers", async () => {
  assertEquals(await withTimeout(Promise.resolve(7), TIMEOUTS), 7);
  await assertRejects(() => withTimeout(Promise.reject(new Error("own")), TIMEOUTS), Error, "own");
});

Deno.test("withTimeout() throws TpmTimeoutError after the timeout", async () => {
  await assertRejects(() => withTimeout(never, SHORT), TpmTimeoutError);
});

Deno.test("withTimeout() uses the shorter timeout after the signal is aborted", async () => {
  const long = { ...SHORT, response: 60_000 };
  const controller = new AbortController();
  const waiting = withTimeout(never, long, controller.signal);
  controller.abort();
  await assertRejects(() => waiting, TpmTimeoutError);
  await assertRejects(() => withTimeout(never, long, controller.signal), TpmTimeoutError);
});

Deno.test("backoffDelay() doubles up to maxDelay, with half of it as jitter", () => {
  assertEquals([1, 2, 3].map((i) => backoffDelay(i, TIMEOUTS, 1)), [15, 30, 60]);
  assertEquals(backoffDelay(1, TIMEOUTS, 0), 7.5);
  assertEquals(backoffDelay(50, TIMEOUTS, 1), TIMEOUTS.maxDelay);
  assert(TIMEOUTS.retry > 10 * TIMEOUTS.maxDelay);
});
