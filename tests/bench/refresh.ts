// deno-lint-ignore-file no-console -- a benchmark prints its results
/**
 * `make bench`, third part: the latency of `serve` while it refreshes its session with a service
 * that takes 500 ms. It is compared with the latency between refreshes in the same run. Ends with 1
 * when the target is missed.
 *
 * Usage: deno run -A tests/bench/refresh.ts
 *
 * @module
 */
import { runLoad } from "../support/load_process.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

/** Latency of the service for each session, milliseconds. */
const LATENCY = 500;
/** Sessions this short are renewed after 2.5 to 3 seconds. */
const SESSION_SECONDS = 6;
const SECONDS = 20;
/** Milliseconds around a call that belong to the refresh: key, signature and connection; the change. */
const [BEFORE, AFTER] = [50, 50];
/** The p99 during a refresh may be this many times the p99 between refreshes. */
const MAX_RATIO = 2;

/** Requests in one kind of time. */
class Requests {
  readonly #microseconds: number[] = [];

  add(microseconds: number): void {
    this.#microseconds.push(microseconds);
  }

  get count(): number {
    return this.#microseconds.length;
  }

  /** Returns milliseconds. */
  quantile(share: number): number {
    const sorted = this.#microseconds.toSorted((a, b) => a - b);
    return (sorted[Math.floor(share * (sorted.length - 1))] ?? NaN) / 1000;
  }
}

await using scenario = await SessionScenario.create({}, {
  latencyMilliseconds: LATENCY,
  sessionSeconds: SESSION_SECONDS,
});
await using serve = await ServeProcess.start(scenario);
const token = await serve.token();

/** Times of the calls, milliseconds since 1970. */
const calls: number[] = [];
let seen = scenario.emulator.requests.length;
const watch = setInterval(() => {
  for (; seen < scenario.emulator.requests.length; seen++) calls.push(Date.now());
}, 5);

let worst = 0;
for (const connections of [1, 16, 64]) {
  calls.length = 0;
  const { samples = [], refused, broken } = await runLoad({
    url: serve.url,
    path: CREDENTIALS_PATH,
    token,
    connections,
    seconds: SECONDS,
    samples: true,
  });
  if (refused + broken > 0) throw new Error(`${refused} refused, ${broken} broken`);
  const [first = 0, last = 0] = [samples[0], samples.at(-2)];
  const windows = calls.map((at) => [at - BEFORE, at + LATENCY + AFTER] as const)
    .filter(([from, to]) => from > first && to < last);
  const [during, between] = [new Requests(), new Requests()];
  for (let i = 0; i < samples.length; i += 2) {
    const [start = 0, microseconds = 0] = samples.slice(i, i + 2);
    const isDuring = windows.some(([from, to]) =>
      start + microseconds / 1000 >= from && start <= to
    );
    (isDuring ? during : between).add(microseconds);
  }
  const duration = windows.reduce((sum, [from, to]) => sum + to - from, 0);
  const rows = [
    ["between refreshes", between, last - first - duration],
    [`during ${windows.length} refreshes`, during, duration],
  ] as const;
  console.log(`${connections} connections, a service that takes ${LATENCY} ms`);
  for (const [name, requests, milliseconds] of rows) {
    const perSecond = Math.round(requests.count / milliseconds * 1000);
    console.log(
      `${name.padEnd(30)}  ${String(perSecond).padStart(6)} requests/s  ` +
        [0.5, 0.99, 0.999].map((share) => `p${share * 100} ${requests.quantile(share).toFixed(2)}`)
          .join("  ") +
        " ms",
    );
  }
  const ratio = during.quantile(0.99) / between.quantile(0.99);
  // Not a number without a refresh: that is a failure too.
  worst = Number.isNaN(ratio) ? Infinity : Math.max(worst, ratio);
}
clearInterval(watch);
const reached = worst <= MAX_RATIO;
console.log(
  `p99 during a refresh ÷ p99 between, the worst of three: ${worst.toFixed(2)} ` +
    `${reached ? "reached" : "MISSED"} (to reach: ${MAX_RATIO})`,
);
Deno.exitCode = reached ? 0 : 1; // not Deno.exit: the servers are ended first
