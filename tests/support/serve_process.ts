import { RunningBinary } from "./running_binary.ts";
import type { SessionScenario } from "./session_scenario.ts";

/** The path of the role's credentials. */
export const CREDENTIALS_PATH = "/latest/meta-data/iam/security-credentials/Demo";

/** Longest end of a program after a signal, milliseconds, as the contract has it. Its own limit is 4 s. */
export const END_TIMEOUT = 5_000;

/** Timeout of a request and its response, milliseconds. */
const RESPONSE_TIMEOUT = 60_000;

/** `serve` of the real binary, on a free port of loopback. */
export class ServeProcess implements AsyncDisposable {
  /** @param url the printed URL without its last slash: paths are appended to it */
  private constructor(readonly binary: RunningBinary, readonly url: string) {}

  /** Starts it with the scenario's flags and these, and waits until it listens. */
  static async start(
    scenario: Pick<SessionScenario, "flags">,
    flags: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<ServeProcess> {
    const port = flags.some((flag) => flag.startsWith("--port")) ? [] : ["--port=0"];
    const binary = new RunningBinary(["serve", ...scenario.flags, ...port, ...flags], env);
    try {
      const line = await binary.waitForLine(/^export AWS_EC2_METADATA_SERVICE_ENDPOINT=/);
      return new ServeProcess(binary, line.replace(/^[^=]*=|\/$/g, ""));
    } catch (thrown) {
      await binary[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Runs the lines printed for a shell in `sh`, and returns the variables that they set. */
  async exported(): Promise<Record<string, string>> {
    const script = this.binary.lines.filter((line) => line.startsWith("export ")).join("\n");
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", `${script}\nexec env -0`],
      env: { PATH: Deno.env.get("PATH") ?? "" },
      clearEnv: true,
    }).output();
    const pairs = new TextDecoder().decode(stdout).split("\0").flatMap((entry) => {
      const [, name, value] = /^(AWS_\w+)=(.*)$/s.exec(entry) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    });
    return Object.fromEntries(pairs);
  }

  /** Requests a token with this lifetime, seconds. */
  async token(seconds = 21_600): Promise<string> {
    const answer = await fetch(`${this.url}/latest/api/token`, {
      method: "PUT",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": String(seconds) },
      signal: AbortSignal.timeout(RESPONSE_TIMEOUT),
    });
    if (answer.status !== 200) throw new Error(`token: ${answer.status} ${await answer.text()}`);
    return await answer.text();
  }

  /** Requests a path with a new token, or the given one. */
  async get(path: string, token?: string): Promise<Response> {
    const headers = { "x-aws-ec2-metadata-token": token ?? await this.token() };
    const signal = AbortSignal.timeout(RESPONSE_TIMEOUT);
    return await fetch(this.url + path, { headers, signal });
  }

  /** Sends SIGTERM. Returns the exit code and the time to exit, milliseconds. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<{ code: number; milliseconds: number }> {
    const started = performance.now();
    this.binary.kill(signal);
    const { code } = await this.binary.end();
    return { code, milliseconds: performance.now() - started };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.binary[Symbol.asyncDispose]();
  }
}
