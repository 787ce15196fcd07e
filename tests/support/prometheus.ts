import { fileURLToPath } from "node:url";

import { leastEnvironment, type Result, runProgram, within } from "./binary.ts";
import { endProcess } from "./end_process.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";
import { compiledClient } from "./tools.ts";

const { folder } = compiledClient("prometheus");

/** Examples for Prometheus and Grafana. */
export const MONITORING = fileURLToPath(new URL("../../packaging/monitoring/", import.meta.url));

/** Timeout of the start and of each wait, milliseconds. */
const TIMEOUT = 120_000;

/** Runs promtool. */
export async function promtool(args: readonly string[], stdin?: string): Promise<Result> {
  return await runProgram(`${folder}promtool`, args, stdin === undefined ? {} : { stdin });
}

/** One series of a query's result. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Scraped target, as Prometheus reports it. */
interface Target {
  readonly scrapePool: string;
  readonly health: string;
  readonly lastError: string;
}

/** Alert rule, as Prometheus reports it. */
export interface Rule {
  readonly name: string;
  readonly query: string;
  readonly state: string;
  readonly health: string;
}

/** Responses of the HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/). */
interface QueryResponse {
  readonly data?: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [time: number, value: string];
    }[];
  };
  readonly error?: string;
}
interface TargetsResponse {
  readonly data: { readonly activeTargets: readonly Target[] };
}
interface RulesResponse {
  readonly data: { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
}

/** Prometheus that scrapes each second, and evaluates the packaged rules. */
export class Prometheus implements AsyncDisposable {
  private constructor(
    private readonly child: Deno.ChildProcess,
    private readonly directory: TemporaryDirectory,
    private readonly url: string,
    private readonly log: Promise<string>,
  ) {}

  /** Starts it with a job for each name, with the address of its target. */
  static async start(jobs: Readonly<Record<string, string>>): Promise<Prometheus> {
    const directory = new TemporaryDirectory();
    // JSON is YAML.
    const configuration = directory.write(
      "prometheus.json",
      JSON.stringify({
        global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
        rule_files: [`${MONITORING}alerts.yml`],
        scrape_configs: Object.entries(jobs).map(([job_name, address]) => ({
          job_name,
          static_configs: [{ targets: [address] }],
        })),
      }),
    );
    const child = new Deno.Command(`${folder}prometheus`, {
      args: [
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${directory.join("tsdb")}`,
        "--web.listen-address=127.0.0.1:0",
      ],
      cwd: directory.path,
      clearEnv: true,
      env: leastEnvironment(),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const listening = Promise.withResolvers<string | undefined>();
    const log = readLog(child.stderr, listening.resolve);
    const address = await within(TIMEOUT, listening.promise);
    const prometheus = new Prometheus(child, directory, `http://${address}`, log);
    if (address !== undefined) return prometheus;
    await prometheus[Symbol.asyncDispose]();
    throw new Error(`prometheus did not become ready: ${await log}`);
  }

  /** Returns the result of an instant query. Throws the parser's message. */
  async query(query: string): Promise<Series[]> {
    const body = new URLSearchParams({ query });
    const { data, error } = await this.#fetch<QueryResponse>("/api/v1/query", {
      method: "POST",
      body,
    });
    if (!data) throw new Error(`${query}: ${error}`);
    return data.result.map(({ metric, value: [, value] }) => ({
      labels: metric,
      value: Number(value),
    }));
  }

  /** Queries until the result satisfies the predicate. */
  async waitFor(
    query: string,
    predicate: (series: readonly Series[]) => boolean,
  ): Promise<Series[]> {
    const deadline = performance.now() + TIMEOUT;
    for (;;) {
      const series = await this.query(query);
      if (predicate(series)) return series;
      if (performance.now() > deadline) {
        const state = JSON.stringify([series, await this.targets()]);
        throw new Error(`${query} has another result: ${state}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async targets(): Promise<readonly Target[]> {
    const { data } = await this.#fetch<TargetsResponse>("/api/v1/targets");
    return data.activeTargets;
  }

  /** Returns the state of the packaged alert rules. */
  async rules(): Promise<readonly Rule[]> {
    const { data } = await this.#fetch<RulesResponse>("/api/v1/rules");
    return data.groups.flatMap(({ rules }) => rules);
  }

  async #fetch<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await fetch(this.url + path, {
      ...init,
      signal: AbortSignal.timeout(TIMEOUT),
    });
    return await response.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.child);
    await this.log;
    this.directory[Symbol.dispose]();
  }
}

/** Reads the log to its end, and returns it. Reports the address when Prometheus is ready, or undefined if it ends. */
async function readLog(
  stderr: ReadableStream<Uint8Array>,
  report: (address: string | undefined) => void,
): Promise<string> {
  let text = "";
  for await (const part of stderr.pipeThrough(new TextDecoderStream())) {
    text += part;
    const address = /msg="Listening on" address=(\S+)\n/.exec(text)?.[1];
    // Their order varies: two of its threads write them.
    if (address && text.includes("Server is ready to receive web requests.")) report(address);
  }
  report(undefined);
  return text;
}
