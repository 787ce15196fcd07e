/**
 * The interface of a fuzzer, and the loop that runs one.
 *
 * To add one, write `tests/fuzz/NAME_fuzzer.ts` that exports `fuzzer: Fuzzer`. It is found by its
 * file's name. `make test` runs its `shortRounds`, `make fuzz` its `longRounds`, each in its own
 * process. `deno run -A tests/fuzz/run.ts NAME --rounds N --seed N` runs one by hand. All
 * randomness must come from the seed that `open` gets. A round throws if the target misbehaves; the
 * loop itself fails on unhandled rejections, slow rounds and memory that grows.
 *
 * @module
 */
import process from "node:process";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Outcome of one round, for the table of results: `opened`, `key-format`, `400`. */
export type Outcome = string;

/** Target that is ready for input. */
export interface OpenFuzzer extends AsyncDisposable {
  /** Makes one input and tries it. Throws when the target misbehaves. */
  round(): Promise<Outcome> | Outcome;
}

/** A kind of input for one part of the program. */
export interface Fuzzer {
  readonly shortRounds: number;
  readonly longRounds: number;
  /** A round that takes longer has failed, milliseconds; default {@link DEFAULT_SLOWEST}. */
  readonly slowest?: number;
  /** Makes fixtures in `directory`; `seed` decides every input. */
  open(seed: number, directory: TemporaryDirectory): Promise<OpenFuzzer>;
}

/** Results of a run. */
export interface FuzzReport {
  readonly rounds: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Longest round, milliseconds of the process's own CPU time. */
  readonly slowest: number;
  /** Resident memory after a tenth of the rounds and at the end, bytes. */
  readonly memory: readonly [early: number, late: number];
}

const DEFAULT_SLOWEST = 1000;
/** Maximum growth of memory between the first tenth and the end, bytes. */
const MEMORY_GROWTH = 64 << 20;
/** Minimum number of rounds for a check of memory. */
const MIN_ROUNDS_FOR_MEMORY = 10_000;

/** Runs the rounds. Throws the error of a round, with its number first. */
export async function runFuzzer(
  fuzzer: Fuzzer,
  { seed, rounds }: { seed: number; rounds: number },
): Promise<FuzzReport> {
  using directory = new TemporaryDirectory();
  await using target = await fuzzer.open(seed, directory);
  const outcomes: Record<Outcome, number> = {};
  const limit = fuzzer.slowest ?? DEFAULT_SLOWEST;
  let slowest = 0;
  let early = 0;
  let rejection: unknown;
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    rejection ??= event.reason;
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  try {
    for (let round = 0; round < rounds; round++) {
      const start = cpuMilliseconds();
      let outcome: Outcome;
      try {
        outcome = await target.round();
      } catch (cause) {
        throw failed(seed, round, cause instanceof Error ? cause.message : String(cause), cause);
      }
      const took = cpuMilliseconds() - start;
      if (took > limit) throw failed(seed, round, `took ${Math.round(took)} ms (${outcome})`);
      if (rejection !== undefined) throw failed(seed, round, "unhandled rejection", rejection);
      slowest = Math.max(slowest, took);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      if (round === Math.floor(rounds / 10)) early = Deno.memoryUsage().rss;
    }
  } finally {
    globalThis.removeEventListener("unhandledrejection", onRejection);
  }
  const late = Deno.memoryUsage().rss;
  if (rounds >= MIN_ROUNDS_FOR_MEMORY && late - early > MEMORY_GROWTH) {
    throw new Error(`memory grew from ${early} to ${late} bytes`);
  }
  return { rounds, outcomes, slowest, memory: [early, late] };
}

/** Returns CPU time, so that other programs on the machine do not fail a round. */
function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function failed(seed: number, round: number, why: string, cause?: unknown): Error {
  return new Error(`seed ${seed}, round ${round}: ${why}`, { cause });
}

/** Finds the fuzzers of this directory by their names. */
export async function allFuzzers(): Promise<Map<string, Fuzzer>> {
  const names = [...Deno.readDirSync(new URL(".", import.meta.url))]
    .flatMap(({ name }) => /^(\w+)_fuzzer\.ts$/.exec(name)?.[1] ?? []).sort();
  const found = new Map<string, Fuzzer>();
  for (const name of names) {
    const { fuzzer }: { fuzzer: Fuzzer } = await import(`./${name}_fuzzer.ts`);
    found.set(name, fuzzer);
  }
  return found;
}
