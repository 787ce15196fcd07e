// deno-lint-ignore-file no-console -- it prints a report
/**
 * `make soak`: runs the soaks, one after the other.
 *
 * Usage: deno run -A tests/soak/run.ts [NAME…] [--seconds N] [--seed N]
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { Soak } from "./soak.ts";

const DEFAULT_SECONDS = "3600";
const DEFAULT_SEED = "20261126";
const SUFFIX = "_soak.ts";

const { positionals, values } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: DEFAULT_SECONDS },
    seed: { type: "string", default: DEFAULT_SEED },
  },
});
const all = Array.from(Deno.readDirSync(new URL(".", import.meta.url)), ({ name }) => name)
  .filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length)).toSorted();
let failures = 0;
for (const name of positionals.length > 0 ? positionals : all) {
  if (!all.includes(name)) throw new Error(`no soak ${name}; there are ${all.join(", ")}`);
  const { soak }: { soak: Soak } = await import(
    new URL(`${name}${SUFFIX}`, import.meta.url).href
  );
  const problems = await soak({
    seconds: Number(values.seconds),
    seed: Number(values.seed),
    log: (line) => console.log(line),
  });
  for (const problem of problems) console.log(`${name}: failed: ${problem}`);
  if (problems.length > 0) failures += 1;
}
Deno.exit(failures > 0 ? 1 : 0);
