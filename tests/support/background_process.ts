import { TemporaryDirectory } from "./temporary_directory.ts";
import { endProcess } from "./end_process.ts";

/** Timeout for an expected line, milliseconds. */
const OUTPUT_TIMEOUT = 60_000;

/** Request header of IMDSv2 tokens. */
const TOKEN_TTL = "x-aws-ec2-metadata-token-ttl-seconds";

/** A long-running program with its standard error in a file: under wine a pipe never ends. */
export class BackgroundProcess implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();
  readonly #child: Deno.ChildProcess;

  /** Starts it with only the given environment, without input. */
  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    const path = Deno.env.get("PATH") ?? "/usr/bin:/bin";
    this.#child = new Deno.Command("sh", {
      args: ["-c", 'exec "$@" </dev/null >/dev/null 2>"$ERR"', "sh", ...command],
      clearEnv: true,
      env: { PATH: path, ...env, ERR: this.#stderrPath },
    }).spawn();
  }

  get pid(): number {
    return this.#child.pid; // the shell's exec keeps it
  }

  get #stderrPath(): string {
    return this.#directory.join("stderr");
  }

  /** Standard error so far. */
  get stderr(): string {
    try {
      return Deno.readTextFileSync(this.#stderrPath);
    } catch {
      return ""; // not created yet
    }
  }

  /** Waits until standard error matches. Returns the first group. */
  async waitForOutput(pattern: RegExp): Promise<string> {
    for (const start = performance.now(); performance.now() - start < OUTPUT_TIMEOUT;) {
      const match = pattern.exec(this.stderr);
      if (match) return match[1] ?? "";
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`no output matches ${pattern}: ${this.stderr}`);
  }

  /** Sends SIGINT, waits for the end, and returns the exit code. */
  async interrupt(): Promise<number> {
    this.#child.kill("SIGINT");
    return (await this.#child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#child);
    this.#directory[Symbol.dispose]();
  }
}

/** Returns the credentials of a `serve` on a loopback port. */
export async function fetchServedCredentials(port: string): Promise<{ AccessKeyId: string }> {
  const base = `http://127.0.0.1:${port}/latest`;
  const answer = await fetch(`${base}/api/token`, {
    method: "PUT",
    headers: { [TOKEN_TTL]: "60" },
  });
  const token = await answer.text();
  const credentials = await fetch(`${base}/meta-data/iam/security-credentials/default`, {
    headers: { "x-aws-ec2-metadata-token": token },
  });
  return await credentials.json();
}
