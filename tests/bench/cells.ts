// deno-lint-ignore-file no-console -- a benchmark prints its results
/**
 * Benchmark of the values that `serve` keeps between requests ("cells"). It compares the program
 * without one of them with the whole program. First in process, then `serve` on loopback by its CPU
 * time.
 *
 * Usage: deno run -A tests/bench/cells.ts [in-process|serve] [--against=CHECKOUT]
 *
 * With `--against` the program of another checkout is measured in turn with them.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { resolve } from "node:path";
import process from "node:process";
import * as esbuild from "esbuild";
import { OPTIONS } from "../../packaging/bundle.ts";
import type { Connection } from "../../src/imds/endpoint.ts";
import { tableOf } from "../support/role_table.ts";
import { BackgroundProcess } from "../support/background_process.ts";
import { runLoad } from "../support/load_process.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";
import { CREDENTIALS_PATH } from "../support/serve_process.ts";
import { median } from "./measure.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = `${ROOT}build/bench/cells`;
/** Rounds of all variants in turn, after one that does not count. */
const ROUNDS = 15;
/** Requests of one variant in a round. */
const REQUESTS = 20_000;
/** The same for servers. */
const SERVER_REQUESTS = 8_000;
const CONNECTIONS = 16;
/** Timeout of the whole benchmark, milliseconds. */
const TIMEOUT = 900_000;

/** Change of one source file that removes a cell. */
interface Removal {
  /** Path below `src/`. */
  readonly file: string;
  /** Text that is in the file exactly once. */
  readonly text: string;
  readonly replacement: string;
}

/** Cells by what they keep. One that is worth less than 10 % of requests per second is removed. */
const CELLS: Readonly<Record<string, readonly Removal[]>> = {
  "request target": [
    { file: "imds/request_target.ts", text: "if (url !== last.url) {", replacement: "{" },
  ],
  "Host header": [
    { file: "imds/host_header.ts", text: "if (value !== last.value) last", replacement: "last" },
  ],
  "document": [
    {
      file: "imds/role_view.ts",
      text: "if (last?.fetched !== credentials.fetched) {",
      replacement: "{",
    },
  ],
};

const WHOLE = "all cells";
const PREFIX = "--against=";
const against = Deno.args.find((argument) => argument.startsWith(PREFIX))?.slice(PREFIX.length);
const OTHER = "the other checkout";
const VARIANTS = [WHOLE, ...Object.keys(CELLS), ...(against === undefined ? [] : [OTHER])];

/** Returns an esbuild plugin that makes the changes. It fails if a text is not there exactly once. */
function remove(removals: readonly Removal[]): esbuild.Plugin {
  return {
    name: "remove-cell",
    setup(build) {
      for (const { file } of removals) {
        const path = `${ROOT}src/${file}`;
        build.onLoad({ filter: new RegExp(`${file}$`) }, async () => {
          let contents = await Deno.readTextFile(path);
          for (const { text, replacement } of removals.filter((each) => each.file === file)) {
            const parts = contents.split(text);
            if (parts.length !== 2) throw new Error(`${file}: not exactly once: ${text}`);
            contents = parts.join(replacement);
          }
          return { contents, loader: "ts" };
        });
      }
    },
  };
}

/** Bundles an entry point, a path in the checkout, for a variant; returns the module's path. */
async function bundle(entry: string, variant: string, folder: string): Promise<string> {
  await esbuild.build({
    ...OPTIONS,
    entryPoints: { [folder]: `${variant === OTHER ? `${resolve(against ?? "")}/` : ROOT}${entry}` },
    outdir: `${FOLDER}/${VARIANTS.indexOf(variant)}`,
    splitting: true,
    format: "esm",
    packages: "external",
    plugins: [remove(CELLS[variant] ?? [])],
  });
  return `${FOLDER}/${VARIANTS.indexOf(variant)}/${folder}.js`;
}

/** Returns the entries in another order each round, because each runs with the caches of the one before. */
function rotate<T>(variants: ReadonlyMap<string, T>, round: number): [string, T][] {
  const entries = [...variants];
  const start = (round + 1) % entries.length;
  return [...entries.slice(start), ...entries.slice(0, start)];
}

/** Prints what each cell is worth: the requests per second that are lost without it. */
function report(title: string, figures: ReadonlyMap<string, readonly number[]>): void {
  const whole = figures.get(WHOLE) ?? [];
  console.log(`${title}: CPU time, microseconds a request`);
  for (const [variant, measured] of figures) {
    const name = variant in CELLS ? `without ${variant}` : variant;
    const columns = [name.padEnd(28)];
    for (const [label, of] of [["median", median], ["minimum", minimum]] as const) {
      const worth = 1 - of(whole) / of(measured);
      columns.push(
        `${label} ${of(measured).toFixed(2).padStart(6)}`,
        variant === WHOLE ? "".padStart(7) : `${(100 * worth).toFixed(1).padStart(5)} %`,
      );
    }
    console.log(columns.join("  ").trimEnd());
  }
}

function minimum(values: readonly number[]): number {
  return Math.min(...values);
}

/** Function that handles this many requests of a workload. */
type Run = (requests: number) => Promise<void>;

const HOST = "127.0.0.1:9911";
const URL_BASE = `http://${HOST}`;
const ROLES = CREDENTIALS_PATH.slice(0, CREDENTIALS_PATH.lastIndexOf("/"));

/** Prepares the workloads for one variant: the same request repeated; an SDK's three requests in turn. */
async function prepare(module: string): Promise<{ repeated: Run; sdk: Run; stop: () => void }> {
  const { createApp, Refresher, hostCheck, TokenStore }: typeof import("./cells_entry.ts") =
    await import(`file://${module}`);
  const monotonic = () => performance.now();
  const refresher = await Refresher.start(
    () =>
      Promise.resolve({
        accessKeyId: "ASIAEXAMPLEEXAMPLE12",
        secretAccessKey: "s".repeat(40),
        sessionToken: "t".repeat(400),
        expiration: new Date(Date.now() + 3_600_000),
      }),
    {
      now: () => new Date(),
      monotonic,
      random: () => 0.5,
      startTimer: (milliseconds, then) => {
        const timer = setTimeout(then, milliseconds);
        return () => clearTimeout(timer);
      },
    },
    () => {},
  );
  const tokens = new TokenStore(
    monotonic,
    (length) => crypto.getRandomValues(new Uint8Array(length)),
  );
  const fetched = new Date();
  const handle = await createApp({
    tokens,
    table: tableOf({
      name: "Demo",
      arn: ARNS.role,
      region: "us-east-1",
      credentials: (now) => {
        const credentials = refresher.credentialsAt(now);
        return credentials && { ...credentials, fetched };
      },
      state: () => ({
        name: "Demo",
        expiration: refresher.credentials?.expiration,
        lastRefresh: fetched,
        lastError: undefined,
      }),
    }),
    health: () => ({ status: "ok" }),
    isAllowedHost: hostCheck([]),
    monotonic,
  });
  let isFirst = true;
  const send = async (request: Request): Promise<string> => {
    // Others request the tokens: the client with the most of them loses the first.
    const client = () => isFirst ? "127.0.0.1" : "127.0.0.2";
    const connection: Connection = { client, user: () => undefined, received: monotonic() };
    const response = await handle(request, connection);
    if (response.status !== 200) throw new Error(`${request.url}: ${response.status}`);
    return await response.text();
  };
  const create = (path: string, headers: Record<string, string>, method = "GET") =>
    new Request(`${URL_BASE}${path}`, { method, headers: { host: HOST, ...headers } });
  const seconds = { "x-aws-ec2-metadata-token-ttl-seconds": "21600" };
  const issue = () => create("/latest/api/token", seconds, "PUT");
  const token = { "x-aws-ec2-metadata-token": await send(issue()) };
  const [credentials, listing, put] = [
    create(CREDENTIALS_PATH, token),
    create(ROLES, token),
    issue(),
  ];
  isFirst = false;
  return {
    async repeated(requests) {
      for (let i = 0; i < requests; i++) await send(credentials);
    },
    async sdk(requests) {
      for (let i = 0; i < requests; i += 3) {
        await send(put);
        await send(listing);
        await send(credentials);
      }
    },
    stop: () => void refresher.stop(),
  };
}

/** Microseconds of CPU time of this process. */
function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function measureInProcess(): Promise<void> {
  const prepared = new Map<string, Awaited<ReturnType<typeof prepare>>>();
  for (const variant of VARIANTS) {
    // The command is not part of it, nor need another checkout have the entry point.
    if (variant === OTHER || CELLS[variant]?.some(({ file }) => file.startsWith("cli/"))) continue;
    prepared.set(
      variant,
      await prepare(await bundle("tests/bench/cells_entry.ts", variant, "app")),
    );
  }
  for (const workload of ["repeated", "sdk"] as const) {
    const figures = new Map([...prepared.keys()].map((variant) => [variant, [] as number[]]));
    for (let round = -1; round < ROUNDS; round++) {
      for (const [variant, runs] of rotate(prepared, round)) {
        const before = ownCpu();
        await runs[workload](REQUESTS);
        if (round >= 0) figures.get(variant)?.push((ownCpu() - before) / REQUESTS);
      }
    }
    report(`in process, ${workload}; ${ROUNDS} rounds of ${REQUESTS} requests`, figures);
  }
  for (const { stop } of prepared.values()) stop();
}

/** Server of one variant. */
interface Server extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  /** Returns its CPU time so far, microseconds. */
  cpu(): number;
}

async function startServer(variant: string, scenario: SessionScenario): Promise<Server> {
  const program = await bundle("src/main.ts", variant, "program");
  const child = new BackgroundProcess(
    [
      ...[Deno.execPath(), "run", "--quiet", "--cached-only", "--no-check", "--allow-all", program],
      ...["serve", "--port=0", ...scenario.flags],
    ],
    { DENO_DIR: Deno.env.get("DENO_DIR") ?? "" },
  );
  const url = await child.waitForOutput(/METADATA_SERVICE_ENDPOINT=(.*)\/\n/);
  const answer = await fetch(`${url}/latest/api/token`, {
    method: "PUT",
    headers: { "x-aws-ec2-metadata-token-ttl-seconds": "21600" },
  });
  return {
    url,
    token: await answer.text(),
    cpu: () => {
      // The first number is nanoseconds on a processor; /proc/PID/stat counts in steps of 10 ms.
      const threads = [...Deno.readDirSync(`/proc/${child.pid}/task`)].map(({ name }) => name);
      const times = threads.map((thread) =>
        Number(Deno.readTextFileSync(`/proc/${child.pid}/task/${thread}/schedstat`).split(" ")[0])
      );
      return times.reduce((sum, time) => sum + time, 0) / 1000;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

async function measureServers(servers: AsyncDisposableStack): Promise<void> {
  const scenario = servers.use(await SessionScenario.create());
  const started = new Map<string, Server>();
  for (const variant of VARIANTS) {
    started.set(variant, servers.use(await startServer(variant, scenario)));
  }
  const figures = new Map(VARIANTS.map((variant) => [variant, [] as number[]]));
  for (let round = -1; round < ROUNDS; round++) {
    for (const [variant, { url, token, cpu }] of rotate(started, round)) {
      const before = cpu();
      const { requests, refused, broken } = await runLoad({
        ...{ url, token, path: CREDENTIALS_PATH, connections: CONNECTIONS },
        ...{ requests: SERVER_REQUESTS, seconds: 60 },
      });
      if (requests < SERVER_REQUESTS || refused + broken > 0) {
        throw new Error(`${variant}: failed requests`);
      }
      if (round >= 0) figures.get(variant)?.push((cpu() - before) / requests);
    }
  }
  report(
    `serve on loopback, ${CONNECTIONS} connections; ${ROUNDS} rounds of ${SERVER_REQUESTS} requests`,
    figures,
  );
}

const servers = new AsyncDisposableStack();
const timer = setTimeout(async () => {
  console.error(`cells.ts: not done after ${TIMEOUT / 1000} s`);
  // Loads end with their servers.
  await Promise.race([servers.disposeAsync(), new Promise((done) => setTimeout(done, 5_000))]);
  Deno.exit(1);
}, TIMEOUT);
try {
  const part = Deno.args.find((argument) => !argument.startsWith(PREFIX));
  if (part !== "serve") await measureInProcess();
  if (part !== "in-process") await measureServers(servers);
} finally {
  clearTimeout(timer);
  await servers.disposeAsync();
  await esbuild.stop();
}
