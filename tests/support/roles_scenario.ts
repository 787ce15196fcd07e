import { RunningBinary } from "./running_binary.ts";
import type { SessionScenario } from "./session_scenario.ts";
import { runProgram } from "./binary.ts";
import { runAs, type SystemUser } from "./system_users.ts";

/** Python of the system: other users cannot read that of the checkout. */
export const SYSTEM_PYTHON = "/usr/bin/python3";

const CLIENT = Deno.readTextFileSync(new URL("raw_client.py", import.meta.url));

/** A role of the file of `--roles`. */
export type Role = Readonly<Record<string, unknown>> & { readonly name: string };

/** A host and port, or the path of a Unix socket. */
export type Address = string | readonly [host: string, port: number];

/** Request of {@link ask}. */
export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Response to a {@link RawRequest}. */
export interface RawResponse {
  readonly status: number;
  readonly body: string;
}

/** Returns a role whose ARN ends with its name in capitals. */
export function roleOf(name: string, more: Readonly<Record<string, unknown>> = {}): Role {
  return { name, roleArn: roleArn(name), ...more };
}

/** Returns the ARN of the role. */
export function roleArn(name: string): string {
  return `arn:aws:iam::123456789012:role/roles/${name.toUpperCase()}`;
}

/** `serve --roles` of the real binary. */
export class RolesServe implements AsyncDisposable {
  private constructor(readonly binary: RunningBinary, readonly address: Address) {}

  /** Starts it with the scenario's certificate and service; the file has the roles. */
  static async start(
    scenario: Pick<SessionScenario, "flags">,
    file: string,
    roles: readonly Role[],
    { bind = "127.0.0.1", flags = [], env = {}, wrapper }: {
      readonly bind?: string;
      readonly flags?: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
      /** Command that runs it. */
      readonly wrapper?: string[];
    } = {},
  ): Promise<RolesServe> {
    writeRoles(file, roles);
    const binary = new RunningBinary(
      [
        ...["serve", ...flagsWithoutRole(scenario), "--roles", file],
        ...["--bind", bind, "--port=0", ...flags],
      ],
      env,
      wrapper,
    );
    try {
      await binary.waitForLine(/leave this running/);
      const url = binary.lines.find((line) => line.startsWith("export AWS_EC2_"))
        ?.replace(/^[^=]*=/, "");
      const address: Address = url === undefined ? bind : [bind, Number(new URL(url).port)];
      return new RolesServe(binary, address);
    } catch (thrown) {
      await binary[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** URL without a trailing slash. */
  get url(): string {
    if (typeof this.address === "string") throw new Error("a Unix socket has no URL");
    const [host, port] = this.address;
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  /** Sends SIGHUP, and waits for the line that it was read, or refused. */
  async reload(): Promise<string> {
    const from = this.binary.lines.length;
    this.binary.kill("SIGHUP");
    return await this.binary.waitForLine(/roles read again|are still served/, from);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.binary[Symbol.asyncDispose]();
  }
}

/** Writes the file of `--roles`. */
export function writeRoles(file: string, roles: readonly Role[]): void {
  Deno.writeTextFileSync(file, JSON.stringify(roles, undefined, 2));
  Deno.chmodSync(file, 0o644); // whatever the umask
}

/** Returns the scenario's flags without `--role-arn`. */
export function flagsWithoutRole({ flags }: Pick<SessionScenario, "flags">): readonly string[] {
  const at = flags.indexOf("--role-arn");
  return flags.filter((_, i) => i !== at && i !== at + 1);
}

/** Sends requests as a user, or as this one; each has a connection, and all are open at once. */
export async function ask(
  user: SystemUser | undefined,
  address: Address,
  requests: readonly RawRequest[],
): Promise<readonly RawResponse[]> {
  const stdin = JSON.stringify({ address, requests });
  const { code, stdout, stderr } = user
    ? await runAs(user, [SYSTEM_PYTHON, "-c", CLIENT], { stdin })
    : await runProgram(SYSTEM_PYTHON, ["-c", CLIENT], { stdin });
  if (code !== 0 || stderr !== "") throw new Error(`raw_client.py: ${code} ${stderr}`);
  return JSON.parse(stdout);
}
