/**
 * Runs the binary and searches its output and files for secrets.
 *
 * @module
 */
import { BINARY, type Result, runProgram } from "./binary.ts";
import type { SecretWindows } from "./secret_windows.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** One run. */
export interface CanaryRun {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array | string;
  /** Runs in a shell with more descriptors, such as `9< "$FILE"`; default none. */
  readonly redirection?: string;
  /** Timeout for long-running commands, seconds. */
  readonly seconds?: number;
}

/** Search of all output and files of runs of the binary. */
export class CanaryCage implements Disposable {
  readonly directory = new TemporaryDirectory();
  #runs = 0;

  /** Number of runs so far. */
  get runs(): number {
    return this.#runs;
  }

  /**
   * Runs the binary in folders of its own: home, temporary files, cache, core files. Throws if
   * output or a file contains part of a secret.
   */
  async run(run: CanaryRun, secrets: SecretWindows): Promise<Result> {
    const folder = this.directory.join(`run-${++this.#runs}`);
    for (const name of ["home", "tmp", "cache"]) {
      Deno.mkdirSync(`${folder}/${name}`, { recursive: true });
    }
    const result = await runProgram("sh", [
      "-c",
      `ulimit -c unlimited 2>/dev/null
       exec setsid --wait timeout -s TERM "$SECONDS_LEFT" "$0" "$@" ${run.redirection ?? ""}`,
      BINARY,
      ...run.args,
    ], {
      env: {
        HOME: `${folder}/home`,
        TMPDIR: `${folder}/tmp`,
        XDG_CACHE_HOME: `${folder}/cache`,
        SECONDS_LEFT: String(run.seconds ?? 60),
        ...run.env,
      },
      cwd: folder,
      ...(run.stdin === undefined ? {} : { stdin: run.stdin }),
    });
    const places = new Map([["stdout", result.stdout], ["stderr", result.stderr]]);
    for (const path of filesBelow(folder)) {
      const bytes = Deno.readFileSync(path);
      places.set(path, new TextDecoder("latin1").decode(bytes));
    }
    for (const [place, text] of places) {
      const leak = secrets.findIn(text);
      if (leak === undefined) continue;
      const args = run.args.map((word) => masked(word, secrets)).join(" ");
      throw new Error(`${place} repeats ${leak}: ${args} (exit ${result.code})`);
    }
    Deno.removeSync(folder, { recursive: true });
    return result;
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

/** Returns the part of a word before a secret. */
function masked(word: string, secrets: SecretWindows): string {
  let shown = word;
  while (secrets.findIn(shown) !== undefined) shown = shown.slice(0, -1);
  return shown === word ? word : `${shown}…`;
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory, isFile }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : isFile ? [`${folder}/${name}`] : []
  );
}

/** Runs tasks, two at a time. Throws the first task's error after all have ended. */
export async function twoAtATime(tasks: readonly (() => Promise<unknown>)[]): Promise<void> {
  const queue = [...tasks];
  const worker = async () => {
    for (let task = queue.shift(); task; task = queue.shift()) await task();
  };
  for (const outcome of await Promise.allSettled([worker(), worker()])) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
