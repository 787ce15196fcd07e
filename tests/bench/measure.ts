/**
 * Measurements that the benchmarks share.
 *
 * @module
 */

/** Environment of measured programs, without their own additions. */
export const ENVIRONMENT = { PATH: "/usr/bin:/bin", HOME: "/nonexistent" } as const;

/** Returns the time of a successful run, milliseconds. */
export async function timeRun(
  [program = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const started = performance.now();
  const { code, stderr } = await new Deno.Command(program, {
    args: [...args],
    clearEnv: true,
    env: { ...ENVIRONMENT, ...env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  const elapsed = performance.now() - started;
  if (code !== 0) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
  return elapsed;
}

/** Returns the median; of an even number the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle) - 1] ?? NaN)) / 2;
}
