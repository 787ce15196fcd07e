import { fileURLToPath } from "node:url";

/** The binary under test, as `make` builds it. */
export const BINARY = fileURLToPath(
  new URL("../../build/bin/aws_signing_helper", import.meta.url),
);

/** A home that does not exist, and that not even root's programs can make. */
const NO_HOME = "/proc/nonexistent";

/** Returns the least environment of a program: libtpm2_pkcs11 would make its store in the working directory. */
export function leastEnvironment(): Readonly<Record<string, string>> {
  return {
    PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
    HOME: NO_HOME,
    TPM2_PKCS11_STORE: NO_HOME,
  };
}

/** What a run of a program left. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stdoutBytes: Uint8Array;
  readonly stderr: string;
}

/** How `runBinary` starts the program. */
export interface RunOptions {
  /** All of its environment but {@link leastEnvironment}; nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Written to standard input; absent, there is none. */
  readonly stdin?: Uint8Array | string;
  /** Milliseconds after which the program is ended; by default {@link DEFAULT_TIMEOUT}. */
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

/** A program that runs longer hangs, milliseconds. It is ended then, and its exit code tells. */
const DEFAULT_TIMEOUT = 180_000;

/** Runs any program with only the environment given. */
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
