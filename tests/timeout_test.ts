import { assertEquals, assertLess, assertRejects } from "@std/assert";

import { withOperationTimeout, withTimeout } from "../src/timeout.ts";

/** Keeps the event loop running, as an operation of the runtime does. */
function keepRunning(): Disposable {
  const timer = setInterval(() => {}, 10);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const never = new Promise<never>(() => {});

for (const wait of [withTimeout, withOperationTimeout]) {
  const late = () => "late";

  Deno.test(`${wait.name}() returns what the work resolves to`, async () => {
    assertEquals(await wait(Promise.resolve(7), 60_000, late), 7);
    assertEquals(await wait(new Promise((resolve) => setTimeout(resolve, 5, 8)), 60_000, late), 8);
    assertEquals(await wait(new Promise((resolve) => setTimeout(resolve, 70, 9)), 60_000, late), 9);
  });

  Deno.test(`${wait.name}() rejects with what the work rejects with`, async () => {
    await assertRejects(() => wait(Promise.reject(new Error("own")), 60_000, late), Error, "own");
  });

  Deno.test(`${wait.name}() returns or throws what onTimeout does, after the time`, async () => {
    using _running = keepRunning();
    const start = performance.now();
    assertEquals(await wait(never, 80, late), "late");
    assertLess(79, performance.now() - start);
    const fail = () => {
      throw new RangeError("too late");
    };
    await assertRejects(() => wait(never, 1, fail), RangeError, "too late");
    assertEquals(await wait(never, 0, late), "late");
  });

  Deno.test(`${wait.name}() does not call onTimeout after the work`, async () => {
    let calls = 0;
    await wait(Promise.resolve(), 10, () => calls++);
    await wait(new Promise((resolve) => setTimeout(resolve, 60)), 100, () => calls++);
    await new Promise((resolve) => setTimeout(resolve, 80));
    assertEquals(calls, 0);
  });

  Deno.test(`${wait.name}() ignores a rejection after the timeout`, async () => {
    const work = Promise.withResolvers<never>();
    using _running = keepRunning();
    assertEquals(await wait(work.promise, 1, late), "late");
    work.reject(new Error("nobody waits"));
    await new Promise((resolve) => setTimeout(resolve, 5));
  });
}

Deno.test("withOperationTimeout() keeps nothing of waits that have ended", async () => {
  const wait = async (count: number) => {
    for (let i = 0; i < count; i++) {
      await withOperationTimeout(Promise.resolve(), 600_000, () => {});
      // Their first part ends meanwhile.
      if (i % 1000 === 0) await new Promise((resolve) => setTimeout(resolve, 60));
    }
  };
  await wait(5000);
  const before = Deno.memoryUsage().rss;
  await wait(50_000);
  assertLess(Deno.memoryUsage().rss - before, 24e6);
});
