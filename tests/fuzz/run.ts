// deno-lint-ignore-file no-console -- it prints a report
/**
 * `make fuzz`: runs every fuzzer's long set, each in its own process, and prints a line for each.
 *
 * Usage: deno run -A tests/fuzz/run.ts [NAME…] [--rounds N] [--seed N]
 *
 * @module
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { allFuzzers, runFuzzer } from "./fuzzer.ts";

const DEFAULT_SEED = 20_261_126;

const { positionals, values } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    seed: { type: "string", default: String(DEFAULT_SEED) },
  },
});
const fuzzers = await allFuzzers();
const wanted = positionals.length > 0 ? positionals : [...fuzzers.keys()];
const [only] = wanted;
if (wanted.length === 1 && only !== undefined) await runOne(only);
else {
  let failures = 0;
  for (const name of wanted) if (!await runInProcess(name)) failures++;
  console.log(`${wanted.length - failures} passed, ${failures} failed`);
  Deno.exit(failures > 0 ? 1 : 0);
}

async function runOne(name: string): Promise<void> {
  const fuzzer = fuzzers.get(name);
  if (!fuzzer) throw new Error(`no fuzzer ${name}; there are ${[...fuzzers.keys()].join(", ")}`);
  const rounds = Number(values.rounds ?? fuzzer.longRounds);
  const start = performance.now();
  const { outcomes, slowest, memory } = await runFuzzer(fuzzer, {
    rounds,
    seed: Number(values.seed),
  });
  const megabytes = memory.map((bytes) => (bytes / 1e6).toFixed(0)).join(" to ");
  const counts = Object.entries(outcomes).sort(([, a], [, b]) => b - a)
    .map(([outcome, count]) => `${outcome} ${count}`).join(", ");
  console.log(
    `${name}: ${rounds} rounds in ${((performance.now() - start) / 1000).toFixed(0)} s, ` +
      `slowest ${slowest.toFixed(0)} ms, ${megabytes} MB: ${counts}`,
  );
}

async function runInProcess(name: string): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--cached-only", "--no-check", "-A"],
      fileURLToPath(import.meta.url),
      name,
      ...["--seed", values.seed],
      ...(values.rounds === undefined ? [] : ["--rounds", values.rounds]),
    ],
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) console.log(`${name}: failed`);
  return success;
}
