import { RESPONSE_LIMITS } from "../../src/http/http_exchange.ts";
import { Mutator } from "../support/mutator.ts";
import type { Fuzzer } from "./fuzzer.ts";
import { FakeConnection, pieces, readResponse, RESPONSES, WORDS } from "./http_responses.ts";

/** Units that some part of a response can repeat. */
const UNITS: readonly Uint8Array[] = [
  "HTTP/1.1 100 Continue\r\n\r\n",
  "a: b\r\n",
  "1\r\nx\r\n",
  "400;x=y\r\n".padEnd(1033, "x") + "\r\n",
  "0",
  "x",
  "\r\n",
  "\n",
].map((text) => new TextEncoder().encode(text));

/** A round may keep timers waiting for this long, milliseconds of a busy machine, or one that pauses. */
const MAX_STARVED = 10_000;

/** Responses without end, always ready, in blocks or in drops. Each must be refused, or be whole. */
export const fuzzer: Fuzzer = {
  shortRounds: 100,
  // Buffers of up to 2 MiB: resident memory is level after 4,000 rounds only.
  longRounds: 40_000,
  open(seed) {
    const mutator = new Mutator(seed, WORDS);
    return Promise.resolve({
      async round() {
        const response = mutator.pick(RESPONSES);
        const start = mutator.below(2) === 0 ? response : mutator.mutate(response);
        const unit = mutator.below(2) === 0
          ? mutator.pick(UNITS)
          : mutator.mutate(mutator.pick([...UNITS, ...RESPONSES]));
        if (unit.length === 0) return "nothing to repeat";
        const block = new Uint8Array(unit.length * Math.ceil(16_384 / unit.length));
        for (let at = 0; at < block.length; at += unit.length) block.set(unit, at);
        const drips = mutator.below(20) === 0;
        const connection = new FakeConnection(
          start.subarray(0, mutator.below(start.length + 1)),
          {
            piece: pieces(mutator),
            isLater: () => drips && mutator.below(100) === 0,
            endless: block,
          },
        );
        let looked = performance.now();
        let starved = 0;
        const look = () => {
          const now = performance.now();
          starved = Math.max(starved, now - looked);
          looked = now;
        };
        const timer = setInterval(look, 5);
        const outcome = await readResponse(connection, mutator.below(8) === 0)
          .finally(() => clearInterval(timer));
        look();
        if (starved > MAX_STARVED) throw new Error(`timers waited for ${Math.round(starved)} ms`);
        if (connection.delivered > RESPONSE_LIMITS.total + block.length) {
          throw new Error(`${connection.delivered} bytes were read`);
        }
        return outcome;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};
