import { fileURLToPath } from "node:url";

import { type Result, runProgram } from "./binary.ts";
import { BUILD, missing } from "./native.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

const WINE = "/usr/lib/wine/wine64";
const WINESERVER = "/usr/lib/wine/wineserver64";
const COMPILER = "x86_64-w64-mingw32-gcc";
const PREFIX = `${BUILD}wine/prefix`;
const SETUP = fileURLToPath(new URL("wine/setup.sh", import.meta.url));

/** The compiled Windows programs, as `make` builds them. */
export const WINDOWS_BINARY = `${BUILD}windows/aws_signing_helper.exe`;
export const WINDOWS_STORE_PROGRAM = `${BUILD}windows/store_program.exe`;

/** Why Windows programs cannot be run here; undefined when they can. */
export function reasonAgainstWine(): string | undefined {
  return missing(WINE, WINESERVER, COMPILER);
}

/** How a Windows program is started. */
export interface WineOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Written to standard input; absent, there is none. */
  readonly stdin?: string;
}

/** wine with a prefix in which programs compiled by Deno start. */
export class Wine implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();

  private constructor() {}

  /** Makes the prefix if it is not there yet, some eight seconds. */
  static async start(): Promise<Wine> {
    const wine = new Wine();
    try {
      Deno.statSync(`${PREFIX}/made`);
    } catch {
      const { code, stderr } = await runProgram("sh", [SETUP, PREFIX]);
      if (code !== 0) throw new Error(`wine cannot be set up: ${stderr}`);
      Deno.writeTextFileSync(`${PREFIX}/made`, "");
    }
    return wine;
  }

  /** The environment in which wine runs. */
  get environment(): Record<string, string> {
    return {
      WINEPREFIX: PREFIX,
      WINEDEBUG: "-all",
      DISPLAY: "",
      LC_ALL: "C.UTF-8",
      HOME: this.#directory.path,
    };
  }

  /**
   * Runs a Windows program. What it writes goes to files: wine's own services keep what they are
   * given open, and a pipe would never end.
   */
  async run(
    program: string,
    args: readonly string[],
    { env = {}, cwd, stdin }: WineOptions = {},
  ): Promise<Result> {
    const [out, err, input] = ["out", "err", "in"].map((name) => this.#directory.join(name));
    if (!out || !err || !input) throw new Error("three files");
    Deno.writeTextFileSync(input, stdin ?? "");
    const from = stdin === undefined ? "/dev/null" : input;
    // exec "$@": the arguments go through no shell.
    const { code } = await runProgram(
      "sh",
      ["-c", 'exec "$@" <"$IN" >"$OUT" 2>"$ERR"', "sh", WINE, program, ...args],
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

  /** Waits until wine's services have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await runProgram(WINESERVER, ["-k"], { env: this.environment });
    await runProgram(WINESERVER, ["-w"], { env: this.environment });
    this.#directory[Symbol.dispose]();
  }
}
