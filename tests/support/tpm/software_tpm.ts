import { TemporaryDirectory } from "../temporary_directory.ts";

/** Transport to a {@link SoftwareTpm}. */
export type Transport = "tcp" | "unix";

/**
 * A software TPM 2.0: swtpm in a private directory, initially empty, stopped on disposal. Its
 * methods use tpm2-tools and openssl, never the code under test.
 */
export class SoftwareTpm implements AsyncDisposable {
  private constructor(
    readonly directory: TemporaryDirectory,
    /** Its TCTI configuration. */
    readonly tcti: string,
    /** Path of its command socket; empty over TCP. */
    readonly socket: string,
    /** Command port, with the control channel at the next port; 0 over a Unix socket. */
    readonly port: number,
    readonly pid: number,
  ) {}

  /**
   * Starts a TPM. `startup: false` omits TPM2_Startup, which firmware sends on real machines.
   * `disconnect: false` keeps a connection open after a command.
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
        const pid = Number(await waitForFile(pidFile));
        return new SoftwareTpm(directory, tcti, socket, port, pid);
      }
      if (tries < 20 && transport === "tcp") continue; // another process has the port
      directory[Symbol.dispose]();
      throw new Error(`swtpm did not start: ${new TextDecoder().decode(stderr)}`);
    }
  }

  /** Environment variables for the program under test and for tpm2-tools. */
  get env(): Record<string, string> {
    return this.socket === "" ? { TPM2TOOLS_TCTI: this.tcti } : { TPM_DEVICE: this.socket };
  }

  /** Runs a program in the TPM's directory with its environment; returns its stdout. */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      cwd: this.directory.path,
      env: { TPM2TOOLS_TCTI: this.tcti, TPM2OPENSSL_TCTI: this.tcti },
      stdin: "null",
    }).output();
    if (!success) {
      throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    }
    return new TextDecoder().decode(stdout);
  }

  /** Runs lines of a shell script, up to the first that fails. */
  async script(lines: string): Promise<string> {
    return await this.run("sh", "-euc", lines);
  }

  /** Returns the number of wrong passwords that the TPM has counted. */
  async readLockoutCounter(): Promise<number> {
    const properties = await this.run("tpm2_getcap", "properties-variable");
    return parseInt(/TPM2_PT_LOCKOUT_COUNTER: (0x[0-9A-F]+)/i.exec(properties)?.[1] ?? "", 16);
  }

  /** Returns the handles of transient objects and sessions. */
  async listLeftovers(): Promise<string[]> {
    const list = await this.script(
      "tpm2_getcap handles-transient; tpm2_getcap handles-loaded-session; " +
        "tpm2_getcap handles-saved-session",
    );
    return list.split("\n").map((line) => line.replace(/^- /, "")).filter((line) => line !== "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.kill(this.pid, "SIGTERM");
    for (let waited = 0; isAlive(this.pid); waited += INTERVAL) {
      if (waited === TIMES.end) Deno.kill(this.pid, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
    this.directory[Symbol.dispose]();
  }
}

/**
 * Returns a port below the kernel's ephemeral ports, so that the next port is not taken by a
 * client.
 */
function randomPort(): number {
  return 10_000 + 2 * Math.floor(Math.random() * 10_000);
}

/** Interval between two looks at a process or a file, milliseconds. */
const INTERVAL = 5;
/** Times for swtpm to start, and to end after SIGTERM, milliseconds. A busy machine needs long. */
const TIMES = { start: 60_000, end: 10_000 } as const;

async function waitForFile(path: string): Promise<string> {
  for (let waited = 0; waited < TIMES.start; waited += INTERVAL) {
    try {
      const text = (await Deno.readTextFile(path)).trim();
      if (text !== "") return text;
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
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
