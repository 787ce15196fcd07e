import { fileURLToPath } from "node:url";
import type { TemporaryDirectory } from "./temporary_directory.ts";
import { endProcess } from "./end_process.ts";

/** The user ID of the hostile user, who need not exist. */
export const USER = 65534;

const SECRET = "# ROOT-SECRET 0123456789\n[root]\naws_access_key_id = ROOT-SECRET\n";

/** A hostile user in a home directory; only root can start one. See swapping_user.py. */
export class SwappingUser implements AsyncDisposable {
  private constructor(
    readonly home: string,
    private readonly secrets: string,
    private readonly child: Deno.ChildProcess,
    private readonly lines: ReadableStreamDefaultReader<string>,
  ) {}

  /** Starts a user who swaps the credentials file, or its directory. */
  static async start(
    swaps: "file" | "directory",
    directory: TemporaryDirectory,
  ): Promise<SwappingUser> {
    Deno.chmodSync(directory.path, 0o711);
    const home = directory.join("home");
    const secrets = directory.join("root");
    for (const path of [home, `${home}/.aws`]) {
      Deno.mkdirSync(path, { mode: 0o755 });
      Deno.chownSync(path, USER, USER);
    }
    Deno.mkdirSync(secrets, { mode: 0o700 });
    for (const name of ["secret", "credentials"]) directory.write(`root/${name}`, SECRET, 0o600);
    const script = fileURLToPath(new URL("swapping_user.py", import.meta.url));
    const child = new Deno.Command("python3", {
      args: [script, swaps, String(USER), home, secrets],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const user = new SwappingUser(home, secrets, child, lines);
    if ((await lines.read()).value?.trim() !== "ready") throw new Error("the user is not ready");
    return user;
  }

  /** The file that root updates. */
  get credentials(): string {
    return `${this.home}/.aws/credentials`;
  }

  /** Ends the user and returns the damage to root's files. */
  async stop(): Promise<string> {
    await this.child.stdin.close().catch(() => {}); // it has ended already
    let output = "";
    for (let read = await this.lines.read(); !read.done; read = await this.lines.read()) {
      output += read.value;
    }
    const { success } = await this.child.status;
    if (output.trim() !== "" || !success) return output.trim() || "the user failed";
    const names = [...Deno.readDirSync(this.secrets)].map(({ name }) => name).toSorted();
    if (names.join() !== "credentials,secret") return `made in root's directory: ${names}`;
    for (const name of names) {
      const path = `${this.secrets}/${name}`;
      const { uid, mode } = Deno.statSync(path);
      if (uid !== 0 || ((mode ?? 0) & 0o777) !== 0o600) return `owner or mode changed: ${name}`;
      if (Deno.readTextFileSync(path) !== SECRET) return `changed: ${name}`;
    }
    return "nothing of root's was read or changed";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.child);
    await this.lines.cancel();
    await this.child.stdin.abort().catch(() => {});
  }
}
