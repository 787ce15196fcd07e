import { TemporaryDirectory } from "./temporary_directory.ts";
import { endProcess } from "./end_process.ts";
import { freePort } from "./free_port.ts";

/** Time for tinyproxy to listen, milliseconds. */
const START_TIMEOUT = 30_000;
/** Number of tries: another process may take the free port before its use. */
const ATTEMPTS = 5;

/** A running tinyproxy on loopback, with its log. */
export class Tinyproxy implements AsyncDisposable {
  private constructor(
    readonly port: number,
    readonly directory: TemporaryDirectory,
    readonly child: Deno.ChildProcess,
  ) {}

  /** Starts one. With `user` and `password` it requires Basic authentication. */
  static async start(login?: { user: string; password: string }): Promise<Tinyproxy> {
    for (let attempt = 1;; attempt++) {
      const port = freePort();
      const directory = new TemporaryDirectory();
      const settings = directory.write(
        "tinyproxy.conf",
        [
          `Port ${port}`,
          "Listen 127.0.0.1",
          `LogFile "${directory.join("log")}"`,
          "LogLevel Info",
          "Timeout 60",
          ...(login ? [`BasicAuth ${login.user} ${login.password}`] : []),
          "",
        ].join("\n"),
      );
      const child = new Deno.Command("tinyproxy", {
        args: ["-d", "-c", settings],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      const proxy = new Tinyproxy(port, directory, child);
      if (await proxy.#listens()) return proxy;
      await proxy[Symbol.asyncDispose]();
      if (attempt === ATTEMPTS) throw new Error(`tinyproxy does not listen: ${proxy.log}`);
    }
  }

  /** Everything that it has logged so far. */
  get log(): string {
    try {
      return Deno.readTextFileSync(this.directory.join("log"));
    } catch {
      return "";
    }
  }

  /** Waits until its log matches: it writes the log after the response. */
  async logged(pattern: RegExp): Promise<void> {
    const start = performance.now();
    while (!pattern.test(this.log)) {
      if (performance.now() - start > START_TIMEOUT) {
        throw new Error(`no ${pattern} in ${this.log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #listens(): Promise<boolean> {
    let ended = false;
    this.child.status.then(() => ended = true);
    const start = performance.now();
    while (!ended && performance.now() - start < START_TIMEOUT) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        return true;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.child);
    this.directory[Symbol.dispose]();
  }
}
