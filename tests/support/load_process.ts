import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("load.ts", import.meta.url));

/** What a load has met. */
export interface LoadReport {
  /** Answered requests. */
  readonly requests: number;
  /** Those that were answered with another status than 200. */
  readonly refused: number;
  /** Connections that ended, or could not be made, before their answer. */
  readonly broken: number;
  /** Of these, those that ended in the middle of an answer. */
  readonly cut: number;
  readonly perSecond: number;
  readonly milliseconds: {
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
  /** Pairs, if they were asked for: milliseconds of the start since 1970, microseconds. */
  readonly samples?: readonly number[];
}

/** What is asked for. */
export interface Load {
  /** `http://host:port` */
  readonly url: string;
  readonly path: string;
  readonly token?: string;
  readonly connections: number;
  readonly seconds: number;
  /** It ends after so many, if that comes first. */
  readonly requests?: number;
  /** Returns the samples too. */
  readonly samples?: boolean;
}

/** Runs a load in a process of its own. */
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
