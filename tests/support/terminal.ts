import { fileURLToPath } from "node:url";
import { runProgram } from "./binary.ts";
import { PYTHON } from "./tools.ts";

const SCRIPT = fileURLToPath(new URL("terminal.py", import.meta.url));

/** Result of a run on a terminal. */
export interface TerminalResult {
  /** The exit code, or minus the number of the signal that ended the program. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** All text on the terminal. */
  readonly screen: string;
  /** True if the terminal echoes again at the end. */
  readonly echoes: boolean;
}

/** Runs a program on its own terminal. Each pair waits for a text and then types one. */
export async function runOnTerminal(
  command: readonly string[],
  dialogue: readonly (readonly [expected: string, typed: string])[],
): Promise<TerminalResult> {
  const { code, stdout, stderr } = await runProgram(PYTHON, [
    SCRIPT,
    JSON.stringify(dialogue),
    ...command,
  ]);
  if (code !== 0) throw new Error(`terminal.py: ${stderr}`);
  return JSON.parse(stdout);
}
