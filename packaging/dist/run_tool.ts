/**
 * Runs the tools that build releases.
 *
 * @module
 */

/** Options of a run. */
export interface ToolOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program and returns its standard output. Throws with its standard error if it fails. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(command, { ...options, args: [...args] }).output();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Error(`${command} is not installed`, { cause });
  }
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (output.success) return decode(output.stdout);
  throw new Error(`${command} ${args[0] ?? ""} failed: ${decode(output.stderr).slice(-2000)}`);
}
