/** Options of `openssl()`. */
export interface OpensslOptions {
  /** Standard input; none if absent. */
  readonly stdin?: Uint8Array | string;
  readonly cwd?: string;
  /** Return standard output even if the program fails. */
  readonly allowFailure?: boolean;
}

/**
 * Runs this machine's openssl program and returns its standard output.
 *
 * Throws an Error with the subcommand and the program's standard error if it fails. The error does
 * not contain other arguments, because they may contain a password.
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
    const message = new TextDecoder().decode(stderr).trim();
    throw new Error(`openssl ${args[0] ?? ""} ended with ${code}: ${message}`);
  }
  return stdout;
}

async function feed(stdin: WritableStream<Uint8Array>, data: Uint8Array | string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
    await writer.close();
  } catch (error) {
    // If a program ends without reading all its input, only its exit code counts.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
