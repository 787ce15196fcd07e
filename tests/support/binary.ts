import { fileURLToPath } from "node:url";

/** The binary under test, as built by `make`. */
export const BINARY = fileURLToPath(
  new URL("../../build/bin/aws_signing_helper", import.meta.url),
);

/** A home that does not exist, and that even root cannot create. */
const NO_HOME = "/proc/nonexistent";

/** Returns the minimum environment: without it, libtpm2_pkcs11 makes a store in the working directory. */
export function leastEnvironment(): Readonly<Record<string, string>> {
  return {
    PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
    HOME: NO_HOME,
    TPM2_PKCS11_STORE: NO_HOME,
  };
}

/** Result of a run of a program. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stdoutBytes: Uint8Array;
  readonly stderr: string;
}

/** Options of `runBinary`. */
export interface RunOptions {
  /** Environment, added to {@link leastEnvironment}; nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard input; none if absent. */
  readonly stdin?: Uint8Array | string;
  /** Timeout after which the program is killed, milliseconds; default {@link DEFAULT_TIMEOUT}. */
  readonly timeout?: number;
}

/** Runs the binary without a controlling terminal and waits for its end. */
export async function runBinary(
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  // setsid: a session of its own has no terminal, so that no prompt can reach the developer's.
  return await runProgram("setsid", ["--wait", BINARY, ...args], options);
}

/** Timeout of a program, milliseconds. It is killed then, and its exit code shows it. */
const DEFAULT_TIMEOUT = 180_000;

/** Runs any program with only the given environment. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  await using child = new Deno.Command(command, {
    args: [...args],
    clearEnv: true,
    env: { ...leastEnvironment(), ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(options.timeout ?? DEFAULT_TIMEOUT),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  }).spawn();
  const output = child.output();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    const bytes = typeof options.stdin === "string"
      ? new TextEncoder().encode(options.stdin)
      : options.stdin;
    await writer.write(bytes);
    await writer.close();
  }
  const { code, stdout, stderr } = await output;
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stdoutBytes: stdout, stderr: decode(stderr) };
}
