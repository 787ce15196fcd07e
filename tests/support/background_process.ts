import { TemporaryDirectory } from "./temporary_directory.ts";

/** So long a program may take to say what is waited for, milliseconds. */
const PATIENCE = 60_000;

/** What is asked for while a server serves. */
const TOKEN_TTL = "x-aws-ec2-metadata-token-ttl-seconds";

/** A program that stays, with its standard error in a file: under wine a pipe would never end. */
export class BackgroundProcess implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();
  readonly #child: Deno.ChildProcess;

  /** Starts it with only the environment given, without input. */
  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    const path = Deno.env.get("PATH") ?? "/usr/bin:/bin";
    this.#child = new Deno.Command("sh", {
      args: ["-c", 'exec "$@" </dev/null >/dev/null 2>"$ERR"', "sh", ...command],
      clearEnv: true,
      env: { PATH: path, ...env, ERR: this.#stderrPath },
    }).spawn();
  }

  get #stderrPath(): string {
    return this.#directory.join("stderr");
  }

  /** What it has said so far. */
  get stderr(): string {
    try {
      return Deno.readTextFileSync(this.#stderrPath);
    } catch {
      return ""; // not begun
    }
  }

  /** Waits until it has said what matches; gives the first group. */
  async said(pattern: RegExp): Promise<string> {
    for (const start = performance.now(); performance.now() - start < PATIENCE;) {
      const match = pattern.exec(this.stderr);
      if (match) return match[1] ?? "";
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`it never said ${pattern}: ${this.stderr}`);
  }

  /** Sends it Ctrl-C and waits for its end: the exit code. */
  async interrupt(): Promise<number> {
    this.#child.kill("SIGINT");
    return (await this.#child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await this.#child.status;
    this.#directory[Symbol.dispose]();
  }
}

/** The credentials that `serve` gives on a port of loopback. */
export async function servedCredentials(port: string): Promise<{ AccessKeyId: string }> {
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
