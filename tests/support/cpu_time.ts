import process from "node:process";

/**
 * Returns the CPU time of this process so far, milliseconds. Other programs do not add to it, as they do
 * to the time that passes.
 */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
