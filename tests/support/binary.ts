import { fileURLToPath } from "node:url";

import { quoteCommandLine } from "../../src/cli/shell_quote.ts";

/** Variable with the path of another program under test: `make test-runtime` sets it. */
export const BINARY_VARIABLE = "AWS_SIGNING_HELPER_TEST_BINARY";

/** The binary under test, as built by `make`. */
export const BINARY = Deno.env.get(BINARY_VARIABLE) ?? fileURLToPath(
  new URL("../../build/bin/aws_signing_helper", import.meta.url),
);

/** The binary's path as a shell and `credential_process` take it. */
export const QUOTED_BINARY = quoteCommandLine([BINARY], "linux");

/** A home that does not exist, and that even root cannot create. */
const NO_HOME = "/proc/nonexistent";

/** Variables without which programs for Windows do not start, or have no certificate store. */
const WINDOWS_VARIABLES = ["SystemRoot", "SystemDrive", "USERPROFILE", "APPDATA", "TEMP"];

/** Returns the minimum environment: without it, libtpm2_pkcs11 makes a store in the working directory. */
export function leastEnvironment(): Readonly<Record<string, string>> {
  return {
    PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
    HOME: NO_HOME,
    TPM2_PKCS11_STORE: NO_HOME,
    ...(Deno.build.os === "windows" ? windowsVariables() : {}),
  };
}

function windowsVariables(): Record<string, string> {
  return Object.fromEntries(
    WINDOWS_VARIABLES.map((name) => [name, Deno.env.get(name) ?? ""]).filter(([, value]) => value),
  );
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
  /** Timeout after which the program is killed and the run fails, milliseconds; default {@link DEFAULT_TIMEOUT}. */
  readonly timeout?: number;
}

/** Runs the binary without a controlling terminal and waits for its end. */
export async function runBinary(
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  return await runProgram(BINARY, args, options);
}

/** Timeout of a program, milliseconds. */
const DEFAULT_TIMEOUT = 180_000;

/** Time for the output of a program to end after it was killed, milliseconds. */
const OUTPUT_TIMEOUT = 5_000;

/**
 * Runs any program with only the given environment. It has a session of its own, so that no prompt
 * can reach the developer's terminal. At the timeout all processes of its process group are killed.
 * Throws if the program, or a process that has its output open, does not end in time.
 */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  const child = new Deno.Command(command, {
    args: [...args],
    clearEnv: true,
    env: { ...leastEnvironment(), ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  }).spawn();
  const timeout = options.timeout ?? DEFAULT_TIMEOUT;
  const finished = finish(child, options.stdin);
  const result = await within(timeout, finished);
  if (result !== undefined) return result;
  killGroup(child);
  const late = await within(OUTPUT_TIMEOUT, finished.catch(() => undefined));
  const seconds = timeout / 1000;
  throw new Error(
    `${[command, ...args.slice(0, 2)].join(" ")}: it did not end within ${seconds} s: ${
      late?.stderr.slice(-1000) ?? "its output is still open"
    }`,
  );
}

async function finish(child: Deno.ChildProcess, stdin: RunOptions["stdin"]): Promise<Result> {
  const output = child.output();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin);
    await writer.close();
  }
  const { code, stdout, stderr } = await output;
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stdoutBytes: stdout, stderr: decode(stderr) };
}

/** Kills a program that leads a session and the processes of its process group. */
function killGroup({ pid }: Deno.ChildProcess): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}

/** Returns the promise's value, or undefined after the timeout, milliseconds. */
export async function within<T>(timeout: number, promise: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), timeout);
  return await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}
