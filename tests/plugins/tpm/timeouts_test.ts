import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  backoffDelay,
  LIMITS,
  TpmTimeoutError,
  withTimeout,
} from "../../../plugins/tpm/tss/timeouts.ts";

const SHORT = { ...LIMITS, answer: 40, answerWhenEnding: 10 };
const never = new Promise<number>(() => {});

Deno.test("answerOf() gives the answer, and leaves no timer behind", async () => {
  assertEquals(await withTimeout(Promise.resolve(7), LIMITS), 7);
  await assertRejects(() => withTimeout(Promise.reject(new Error("own")), LIMITS), Error, "own");
});

Deno.test("answerOf() gives up after its time", async () => {
  await assertRejects(() => withTimeout(never, SHORT), TpmTimeoutError);
});

Deno.test("answerOf() gives up sooner once the process is asked to end", async () => {
  const patient = { ...SHORT, answer: 60_000 };
  const controller = new AbortController();
  const given = withTimeout(never, patient, controller.signal);
  controller.abort();
  await assertRejects(() => given, TpmTimeoutError);
  await assertRejects(() => withTimeout(never, patient, controller.signal), TpmTimeoutError);
});

Deno.test("pauseBefore() doubles up to its limit, half of it by chance", () => {
  assertEquals([1, 2, 3].map((i) => backoffDelay(i, LIMITS, 1)), [15, 30, 60]);
  assertEquals(backoffDelay(1, LIMITS, 0), 7.5);
  assertEquals(backoffDelay(50, LIMITS, 1), LIMITS.maxDelay);
  assert(LIMITS.busy > 10 * LIMITS.maxDelay);
});
