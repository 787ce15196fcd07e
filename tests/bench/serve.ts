// deno-lint-ignore-file no-console -- a benchmark prints its results
/**
 * `make bench`, second part: requests a second and latency of `serve` for credentials, with and
 * without `--allow-user` and `--metrics`. It is compared with a bare `Deno.serve` and Node's http
 * server in the same run, in turns. Ends with 1 if a target is missed.
 *
 * Usage: deno run -A tests/bench/serve.ts
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { type LoadReport, runLoad } from "../support/load_process.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

const ROUNDS = 3;
const SECONDS = 2;
/** Shares of requests to reach at 16 connections: of another server, by the subjects' places. */
const TARGETS = [
  { name: "serve to bare Deno.serve", of: [0, 2], share: 0.8 },
  { name: "serve --allow-user to serve", of: [1, 0], share: 0.7 },
  { name: "serve --metrics to serve", of: [4, 0], share: 0.9 },
] as const;

/** A server to measure. */
interface Subject {
  readonly name: string;
  readonly url: string;
  readonly token: string;
}

/** Starts a server that prints its port. */
async function startServer(command: string, args: readonly string[]) {
  const child = new Deno.Command(command, { args: [...args], stdout: "piped" }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  return {
    url: `http://127.0.0.1:${value?.trim()}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await reader.cancel();
      await child.status;
    },
  };
}

const local = (name: string) => fileURLToPath(new URL(name, import.meta.url));

await using scenario = await SessionScenario.create();
await using serve = await ServeProcess.start(scenario);
await using limited = await ServeProcess.start(scenario, [`--allow-user=${Deno.uid()}`]);
await using counted = await ServeProcess.start(scenario, ["--metrics"]);
const token = await serve.token();
const answer = await serve.get(CREDENTIALS_PATH, token);
const length = String((await answer.text()).length);
await using deno = await startServer(Deno.execPath(), [
  ...["run", "--quiet", "--no-config", "--no-check", "--allow-net"],
  ...[local("bare_deno_serve.ts"), length],
]);
await using node = await startServer("node", [local("bare_node_http.mjs"), length]);

const subjects: readonly Subject[] = [
  { name: "serve, credentials", url: serve.url, token },
  { name: "serve --allow-user", url: limited.url, token: await limited.token() },
  { name: "bare Deno.serve", url: deno.url, token },
  { name: "Node's http", url: node.url, token },
  { name: "serve --metrics", url: counted.url, token: await counted.token() },
];

const best = (reports: readonly LoadReport[]): LoadReport | undefined =>
  reports.toSorted((a, b) => b.perSecond - a.perSecond)[0];

let rates: readonly number[] = [];
for (const connections of [1, 16, 64]) {
  const reports = subjects.map((): LoadReport[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { url, token }] of subjects.entries()) {
      const load = { url, path: CREDENTIALS_PATH, token, connections, seconds: SECONDS };
      reports[i]?.push(await runLoad(load));
    }
  }
  console.log(`${connections} connections, the best of ${ROUNDS} rounds`);
  if (connections === 16) rates = reports.map((all) => best(all)?.perSecond ?? 0);
  for (const [i, { name }] of subjects.entries()) {
    const report = best(reports[i] ?? []);
    if (!report) continue;
    const { p50, p99, p999 } = report.milliseconds;
    console.log(
      `${name.padEnd(30)}  ${String(report.perSecond).padStart(6)} requests/s  ` +
        `p50 ${p50.toFixed(2)}  p99 ${p99.toFixed(2)}  p99.9 ${p999.toFixed(2)} ms`,
    );
  }
}
let missed = 0;
for (const { name, of: [own, other], share } of TARGETS) {
  const ratio = (rates[own] ?? 0) / (rates[other] ?? Infinity);
  if (ratio < share) missed++;
  console.log(
    `${name} at 16 connections: ${ratio.toFixed(2)} ` +
      `${ratio < share ? "MISSED" : "reached"} (to reach: ${share})`,
  );
}
Deno.exitCode = missed === 0 ? 0 : 1; // not Deno.exit: the servers are ended first
