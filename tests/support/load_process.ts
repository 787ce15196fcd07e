import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("load.ts", import.meta.url));

/** Result of a load. */
export interface LoadReport {
  /** Answered requests. */
  readonly requests: number;
  /** Responses with another status than 200. */
  readonly refused: number;
  /** Connections that failed, or ended before their response. */
  readonly broken: number;
  /** Of these, connections that ended in the middle of a response. */
  readonly cut: number;
  readonly perSecond: number;
  readonly milliseconds: {
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
  /** Pairs, if requested: milliseconds of the start since 1970, microseconds. */
  readonly samples?: readonly number[];
}

/** Parameters of a load. */
export interface Load {
  /** `http://host:port` */
  readonly url: string;
  readonly path: string;
  readonly token?: string;
  readonly connections: number;
  readonly seconds: number;
  /** Maximum number of requests. */
  readonly requests?: number;
  /** Returns the samples too. */
  readonly samples?: boolean;
}

/** Runs a load in another process. */
export async function runLoad(load: Load): Promise<LoadReport> {
  const { hostname, port } = new URL(load.url);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-config",
      "--no-check",
      "--allow-all",
      SCRIPT,
      hostname,
      port,
      load.path,
      load.token ?? "",
      String(load.connections),
      String(load.seconds),
      ...(load.requests === undefined ? [] : [String(load.requests)]),
      ...(load.samples ? ["samples"] : []),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`load: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}
