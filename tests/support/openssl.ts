/** How `openssl()` runs the program. */
export interface OpensslOptions {
  /** Written to standard input, which is closed afterwards; absent: no input. */
  readonly stdin?: Uint8Array | string;
  readonly cwd?: string;
  /** Give standard output back even when the program fails. */
  readonly allowFailure?: boolean;
}

/**
 * Runs the openssl program of this machine and gives its standard output.
 *
 * Throws an Error with the subcommand and what the program wrote on standard error when it fails.
 * Other arguments stay out of that error, since they may hold a password.
 */
export async function openssl(
  args: readonly string[],
  options: OpensslOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const command = new Deno.Command("openssl", {
    args: [...args],
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  await using child = command.spawn();
  const output = child.output();
  if (options.stdin !== undefined) await feed(child.stdin, options.stdin);
  const { success, code, stdout, stderr } = await output;
  if (!success && options.allowFailure !== true) {
    const words = new TextDecoder().decode(stderr).trim();
    throw new Error(`openssl ${args[0] ?? ""} ended with ${code}: ${words}`);
  }
  return stdout;
}

async function feed(stdin: WritableStream<Uint8Array>, data: Uint8Array | string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
    await writer.close();
  } catch (error) {
    // A program that ends without reading all its input is judged by its exit code.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
