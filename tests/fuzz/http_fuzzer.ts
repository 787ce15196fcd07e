import { Mutator } from "../support/mutator.ts";
import type { Fuzzer } from "./fuzzer.ts";
import { FakeConnection, pieces, readResponse, RESPONSES, WORDS } from "./http_responses.ts";

/** Mutated responses of a service or a proxy, in pieces of any size. */
export const fuzzer: Fuzzer = {
  shortRounds: 5_000,
  longRounds: 1_000_000,
  open(seed) {
    const mutator = new Mutator(seed, WORDS);
    return Promise.resolve({
      async round() {
        const bytes = mutator.mutate(mutator.pick(RESPONSES));
        const isLater = mutator.below(500) === 0;
        const connection = new FakeConnection(bytes, {
          piece: pieces(mutator),
          isLater: () => isLater && mutator.below(20) === 0,
        });
        return await readResponse(connection, mutator.below(8) === 0);
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};
