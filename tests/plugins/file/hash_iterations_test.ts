import { assertEquals, assertLess } from "@std/assert";
import { createHash } from "node:crypto";
import { HashThread, localHashIterator } from "../../../plugins/file/hash_iterations.ts";
import { hasLoop } from "../../../plugins/file/hash_loop.ts";

const HASHES = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"] as const;

function iterated(hash: string, digest: Uint8Array, iterations: number): Uint8Array {
  let current = digest;
  for (let i = 0; i < iterations; i++) current = createHash(hash).update(current).digest();
  return Uint8Array.from(current);
}

for (const hash of HASHES) {
  Deno.test(`localHashIterator and HashThread iterate ${hash} like node:crypto`, async () => {
    assertEquals(hasLoop(hash), hash !== "md5");
    using thread = new HashThread();
    const start = createHash(hash).update(hash).digest();
    for (const iterations of [0, 1, 4_095, 4_096, 5_001, 100_001]) {
      const expected = iterated(hash, start, iterations);
      assertEquals(
        await localHashIterator.iterate(hash, start, iterations),
        expected,
        `${iterations}`,
      );
      assertEquals(await thread.iterate(hash, start, iterations), expected, `${iterations}`);
    }
    assertEquals(iterated(hash, start, 0), Uint8Array.from(start), "the input was changed");
  });
}

Deno.test("HashThread does not block this thread", async () => {
  using thread = new HashThread();
  await thread.iterate("sha1", new Uint8Array(20), 100_000);
  // A machine that pauses stops both threads: only a thread that is blocked in each attempt counts.
  for (let attempt = 1;; attempt++) {
    const started = performance.now();
    const work = thread.iterate("sha1", new Uint8Array(20), 10_000_000);
    let last = started;
    let max = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      max = Math.max(max, now - last);
      last = now;
    }, 5);
    await work;
    clearInterval(timer);
    const limit = (performance.now() - started) / 3;
    if (max >= limit && attempt < 5) continue;
    assertLess(max, limit);
    return;
  }
});
