import { TemporaryDirectory } from "../temporary_directory.ts";

/** How a {@link SoftwareTpm} is reached. */
export type Transport = "tcp" | "unix";

/**
 * A TPM 2.0 of its own: swtpm on a private directory, empty at first, ended with the `using` block.
 * Its commands go through tpm2-tools and openssl, never through the code under test.
 */
export class SoftwareTpm implements AsyncDisposable {
  private constructor(
    readonly directory: TemporaryDirectory,
    /** The TCTI configuration that leads to it. */
    readonly tcti: string,
    /** The Unix socket of its commands, or empty. */
    readonly socket: string,
    /** The TCP port of its commands, its control channel is one above; or 0. */
    readonly port: number,
    readonly pid: number,
  ) {}

  /**
   * Starts one; `startup: false` leaves out TPM2_Startup, which firmware does elsewhere. With
   * `disconnect: false` a connection stays open after a command.
   */
  static async start(
    transport: Transport = "tcp",
    { startup = true, disconnect = true }: {
      readonly startup?: boolean;
      readonly disconnect?: boolean;
    } = {},
  ): Promise<SoftwareTpm> {
    const directory = new TemporaryDirectory("swtpm-");
    for (let tries = 0;; tries++) {
      const port = transport === "tcp" ? randomPort() : 0;
      const socket = transport === "unix" ? directory.join("tpm.sock") : "";
      const [server, control] = transport === "tcp"
        ? [`type=tcp,port=${port},bindaddr=127.0.0.1`, `type=tcp,port=${port + 1}`]
        : [`type=unixio,path=${socket}`, `type=unixio,path=${socket}.ctrl`];
      const pidFile = directory.join("pid");
      const { success, stderr } = await new Deno.Command("swtpm", {
        // deno-fmt-ignore
        args: [
          "socket", "--tpm2", "--daemon", "--pid", `file=${pidFile}`,
          "--tpmstate", `dir=${directory.path}`,
          "--server", disconnect ? `${server},disconnect` : server, "--ctrl", control,
          "--flags", startup ? "not-need-init,startup-clear" : "not-need-init",
        ],
        stdin: "null",
      }).output();
      if (success) {
        const tcti = transport === "tcp"
          ? `swtpm:host=127.0.0.1,port=${port}`
          : `swtpm:path=${socket}`;
        const pid = Number(await appearing(pidFile));
        return new SoftwareTpm(directory, tcti, socket, port, pid);
      }
      if (tries < 20 && transport === "tcp") continue; // somebody else has the port
      directory[Symbol.dispose]();
      throw new Error(`swtpm did not start: ${new TextDecoder().decode(stderr)}`);
    }
  }

  /** The environment in which the program under test and other programs find it. */
  get env(): Record<string, string> {
    return this.socket === "" ? { TPM2TOOLS_TCTI: this.tcti } : { TPM_DEVICE: this.socket };
  }

  /** Runs a program that uses it, in its directory; gives its standard output. */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      cwd: this.directory.path,
      env: { TPM2TOOLS_TCTI: this.tcti, TPM2OPENSSL_TCTI: this.tcti },
      stdin: "null",
    }).output();
    if (!success) {
      const words = new TextDecoder().decode(stderr);
      throw new Error(`${program} ${args.join(" ")}: ${words}`);
    }
    return new TextDecoder().decode(stdout);
  }

  /** Runs lines of a shell script, which ends with the first that fails. */
  async script(lines: string): Promise<string> {
    return await this.run("sh", "-euc", lines);
  }

  /** How many wrong passwords the TPM has counted. */
  async failedTries(): Promise<number> {
    const properties = await this.run("tpm2_getcap", "properties-variable");
    return parseInt(/TPM2_PT_LOCKOUT_COUNTER: (0x[0-9A-F]+)/i.exec(properties)?.[1] ?? "", 16);
  }

  /** Handles of transient objects and of sessions that are loaded. */
  async leftovers(): Promise<string[]> {
    const list = await this.script(
      "tpm2_getcap handles-transient; tpm2_getcap handles-loaded-session; " +
        "tpm2_getcap handles-saved-session",
    );
    return list.split("\n").map((line) => line.replace(/^- /, "")).filter((line) => line !== "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.kill(this.pid, "SIGTERM");
    while (isAlive(this.pid)) await new Promise((resolve) => setTimeout(resolve, 5));
    this.directory[Symbol.dispose]();
  }
}

/** Ports below those that the kernel gives to clients, so that no connection takes one of the pair. */
function randomPort(): number {
  return 10_000 + 2 * Math.floor(Math.random() * 10_000);
}

async function appearing(path: string): Promise<string> {
  for (let tries = 0; tries < 400; tries++) {
    try {
      const text = (await Deno.readTextFile(path)).trim();
      if (text !== "") return text;
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`${path} did not appear`);
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
