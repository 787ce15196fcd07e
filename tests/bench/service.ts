/**
 * The service of a benchmark, in a process of its own so that it does not share a processor with the
 * stopwatch: makes all that a session needs, prints it as one line of JSON, and ends with its standard
 * input.
 *
 * Usage: deno run -A tests/bench/service.ts [LATENCY-MILLISECONDS]
 *
 * @module
 */
import { SessionScenario } from "../support/session_scenario.ts";

await using scenario = await SessionScenario.create({}, {
  latencyMilliseconds: Number(Deno.args[0] ?? 0),
});
const { directory, identity, flags } = scenario;
const line = JSON.stringify({ directory: directory.path, keyPath: identity.keyPath, flags });
Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
for await (const _ of Deno.stdin.readable) {
  // nothing is said; only the end counts
}
