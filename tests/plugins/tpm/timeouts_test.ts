import { assert, assertEquals, assertRejects } from "@std/assert";
import { answerOf, LIMITS, NoAnswerError, pauseBefore } from "../../../plugins/tpm/tss/timeouts.ts";

const SHORT = { ...LIMITS, answer: 40, answerWhenEnding: 10 };
const never = new Promise<number>(() => {});

Deno.test("answerOf() gives the answer, and leaves no timer behind", async () => {
  assertEquals(await answerOf(Promise.resolve(7), LIMITS), 7);
  await assertRejects(() => answerOf(Promise.reject(new Error("own")), LIMITS), Error, "own");
});

Deno.test("answerOf() gives up after its time", async () => {
  await assertRejects(() => answerOf(never, SHORT), NoAnswerError);
});

Deno.test("answerOf() gives up sooner once the process is asked to end", async () => {
  const patient = { ...SHORT, answer: 60_000 };
  const controller = new AbortController();
  const given = answerOf(never, patient, controller.signal);
  controller.abort();
  await assertRejects(() => given, NoAnswerError);
  await assertRejects(() => answerOf(never, patient, controller.signal), NoAnswerError);
});

Deno.test("pauseBefore() doubles up to its limit, half of it by chance", () => {
  assertEquals([1, 2, 3].map((i) => pauseBefore(i, LIMITS, 1)), [15, 30, 60]);
  assertEquals(pauseBefore(1, LIMITS, 0), 7.5);
  assertEquals(pauseBefore(50, LIMITS, 1), LIMITS.longestPause);
  assert(LIMITS.busy > 10 * LIMITS.longestPause);
});
