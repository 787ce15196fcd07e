import { assertEquals, assertGreater } from "@std/assert";
import { allFuzzers, runFuzzer } from "./fuzzer.ts";

const SEED = 1;

for (const [name, fuzzer] of await allFuzzers()) {
  Deno.test(`mutated input: ${name}, ${fuzzer.shortRounds} rounds`, async () => {
    const { rounds, outcomes } = await runFuzzer(fuzzer, {
      seed: SEED,
      rounds: fuzzer.shortRounds,
    });
    assertEquals(Object.values(outcomes).reduce((sum, count) => sum + count, 0), rounds);
    // One outcome only would mean that the input never gets past the first check.
    assertGreater(Object.keys(outcomes).length, 1, JSON.stringify(outcomes));
  });
}
