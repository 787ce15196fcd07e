import { fileURLToPath } from "node:url";

import { type Result, runProgram } from "./binary.ts";
import { BUILD, missingTools } from "./native.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";
import { runOnTerminal, type TerminalResult } from "./terminal.ts";

const WINE = "/usr/lib/wine/wine64";
const WINESERVER = "/usr/lib/wine/wineserver64";
const COMPILER = "x86_64-w64-mingw32-gcc";
const PREFIX = `${BUILD}wine/prefix`;
const SETUP = fileURLToPath(new URL("wine/setup.sh", import.meta.url));
const SHIM = fileURLToPath(new URL("wine/process_prng.c", import.meta.url));

/** A program that fills the user's certificate store, to compile. */
export const STORE_SOURCE = fileURLToPath(new URL("wine/store.c", import.meta.url));

/** Compiled Windows programs, as built by `make`. */
export const WINDOWS_BINARY = `${BUILD}windows/aws_signing_helper.exe`;
export const WINDOWS_STORE_PROGRAM = `${BUILD}windows/store_program.exe`;

/**
 * Returns the reason why Windows programs cannot run here, or undefined. Creates the prefix if it is
 * missing, in about eight seconds: not every version of wine can.
 */
export function reasonAgainstWine(): string | undefined {
  const missing = missingTools(WINE, WINESERVER, COMPILER);
  if (missing !== undefined) return missing;
  const sources = [SETUP, SHIM].map((path) => Deno.readTextFileSync(path)).join("");
  if (madeFrom() === sources) return undefined;
  using directory = new TemporaryDirectory();
  const { success } = new Deno.Command("sh", {
    args: [SETUP, PREFIX],
    env: environmentIn(directory.path),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).outputSync();
  if (!success) return `this wine cannot be set up; see ${PREFIX}/setup.log`;
  Deno.writeTextFileSync(`${PREFIX}/made-from`, sources);
  return undefined;
}

/** Returns the environment in which wine runs, with its home in a directory. */
function environmentIn(directory: string): Record<string, string> {
  return {
    WINEPREFIX: PREFIX,
    WINEDEBUG: "-all",
    DISPLAY: "",
    LC_ALL: "C.UTF-8",
    HOME: directory,
    // wine's services leave a folder with a lock.
    TMPDIR: directory,
  };
}

/** Returns the Windows path of a path: wine's drive Z: is the root. */
export function windowsPath(path: string): string {
  return `Z:${path.replaceAll("/", "\\")}`;
}

/** Returns the record of the prefix's origin, or undefined if there is no prefix. */
function madeFrom(): string | undefined {
  try {
    return Deno.readTextFileSync(`${PREFIX}/made-from`);
  } catch {
    return undefined;
  }
}

/** Options for starting a Windows program. */
export interface WineOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard input; none if absent. */
  readonly stdin?: string;
}

/**
 * Runs `work`, once more if wine itself crashed. That happened at the end of a process: three times
 * in 60 runs of all tests on a busy machine.
 */
async function againIfWineCrashed<T extends { readonly stderr: string }>(
  work: () => Promise<T>,
): Promise<T> {
  const result = await work();
  return /^wine: Unhandled page fault|^wine client error/m.test(result.stderr)
    ? await work()
    : result;
}

/** wine with a prefix in which programs compiled by Deno start. */
export class Wine implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();

  private constructor() {}

  /** Creates the prefix if it is missing. Does nothing without wine. */
  static start(): Wine {
    reasonAgainstWine();
    return new Wine();
  }

  /** The folder that is drive C:. */
  get systemDrive(): string {
    return `${PREFIX}/drive_c`;
  }

  /** Returns a folder in the Windows user's profile. */
  userDirectory(name: string): string {
    const users = [...Deno.readDirSync(`${PREFIX}/drive_c/users`)].map((entry) => entry.name);
    return `${PREFIX}/drive_c/users/${users.find((user) => user !== "Public") ?? ""}/${name}`;
  }

  /** Returns the command that runs a Windows program. */
  command(program: string, args: readonly string[]): string[] {
    return [WINE, program, ...args];
  }

  /** The environment in which wine runs. */
  get environment(): Record<string, string> {
    return environmentIn(this.#directory.path);
  }

  /**
   * Runs a Windows program. Its output goes to files: wine's services keep inherited pipes open, so a
   * pipe would never end.
   */
  async run(
    program: string,
    args: readonly string[],
    options: WineOptions = {},
  ): Promise<Result> {
    return await againIfWineCrashed(() => this.#runOnce(program, args, options));
  }

  async #runOnce(
    program: string,
    args: readonly string[],
    { env = {}, cwd, stdin }: WineOptions,
  ): Promise<Result> {
    const [out, err, input] = ["out", "err", "in"].map((name) => this.#directory.join(name));
    if (!out || !err || !input) throw new Error("three files");
    Deno.writeTextFileSync(input, stdin ?? "");
    const from = stdin === undefined ? "/dev/null" : input;
    // exec "$@": no shell parses the arguments.
    const { code } = await runProgram(
      "sh",
      ["-c", 'exec "$@" <"$IN" >"$OUT" 2>"$ERR"', "sh", ...this.command(program, args)],
      {
        env: { ...this.environment, ...env, IN: from, OUT: out, ERR: err },
        ...(cwd === undefined ? {} : { cwd }),
      },
    );
    const stdoutBytes = Deno.readFileSync(out);
    return {
      code,
      stdout: new TextDecoder().decode(stdoutBytes),
      stdoutBytes,
      stderr: Deno.readTextFileSync(err),
    };
  }

  /**
   * Runs a Windows program on its own console. Each pair waits for a text and then types one. Its
   * standard output is on the screen.
   */
  async runOnConsole(
    program: string,
    args: readonly string[],
    dialogue: readonly (readonly [expected: string, typed: string])[],
  ): Promise<TerminalResult> {
    return await againIfWineCrashed(() => this.#runOnceOnConsole(program, args, dialogue));
  }

  async #runOnceOnConsole(
    program: string,
    args: readonly string[],
    dialogue: readonly (readonly [expected: string, typed: string])[],
  ): Promise<TerminalResult> {
    const err = this.#directory.join("err");
    const env = Object.entries({ ...this.environment, ERR: err }).map(([k, v]) => `${k}=${v}`);
    // deno-fmt-ignore
    const result = await runOnTerminal([
      "env", ...env, "sh", "-c", 'exec "$@" </dev/tty >/dev/tty 2>"$ERR"', "sh",
      WINE, program, ...args,
    ], dialogue);
    return { ...result, stderr: Deno.readTextFileSync(err) };
  }

  /** Waits until wine's services have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (reasonAgainstWine() === undefined) {
      await runProgram(WINESERVER, ["-k"], { env: this.environment });
      await runProgram(WINESERVER, ["-w"], { env: this.environment });
    }
    this.#directory[Symbol.dispose]();
  }
}
