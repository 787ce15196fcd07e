import { fileURLToPath } from "node:url";

import { leastEnvironment, runProgram } from "./binary.ts";
import { endProcess } from "./end_process.ts";
import { MOTO } from "./tools.ts";

const SCRIPT = fileURLToPath(new URL("../clients/python/moto_roles.py", import.meta.url));

/** The ARNs of roles: `middle` may assume `last`, and not the other way round. */
export type MotoRoles = Readonly<Record<"middle" | "last", string>>;

/** moto's server, which imitates IAM and STS, on a free port of loopback. */
export class MotoServer implements AsyncDisposable {
  private constructor(
    readonly url: string,
    readonly child: Deno.ChildProcess,
    readonly output: Promise<void>,
  ) {}

  /** Starts it and waits until it listens. */
  static async start(): Promise<MotoServer> {
    const child = new Deno.Command(MOTO, {
      args: ["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
      clearEnv: true,
      env: { ...leastEnvironment() },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const read = async () => {
      let text = "";
      for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
        text += part;
        const url = /Running on (http:\/\/127\.0\.0\.1:\d+)\s/.exec(text)?.[1];
        if (url !== undefined) resolve(url);
      }
      reject(new Error(`moto ended: ${text.slice(-1000)}`));
    };
    const output = read();
    return new MotoServer(await promise, child, output);
  }

  /**
   * Makes the roles. From then on moto verifies the signature and policy of every call but the first, whose
   * caller it cannot know.
   */
  async createRoles(): Promise<MotoRoles> {
    const arns: MotoRoles = JSON.parse(await this.#run("roles"));
    const response = await fetch(`${this.url}/moto-api/reset-auth`, { method: "POST", body: "1" });
    if (!response.ok) throw new Error(`reset-auth: ${response.status}`);
    await response.body?.cancel();
    return arns;
  }

  /** Returns the ARN of a session's caller, as boto3 gets it with the session. */
  async callerArn(session: unknown): Promise<string> {
    return JSON.parse(await this.#run("caller", JSON.stringify(session)));
  }

  async #run(action: string, stdin?: string): Promise<string> {
    const { code, stdout, stderr } = await runProgram(MOTO, [SCRIPT, this.url, action], {
      ...(stdin === undefined ? {} : { stdin }),
    });
    if (code !== 0) throw new Error(stderr);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.child);
    await this.output.catch(() => {});
  }
}
