import { fileURLToPath } from "node:url";
import { TemporaryDirectory } from "./temporary_directory.ts";

const PROGRAM = fileURLToPath(new URL("blocking_files.py", import.meta.url));

/** Calls of the file system that can be blocked; `again` lets reads fail with EAGAIN. */
export type BlockedCall = "lookup" | "getattr" | "open" | "read" | "again";

/** Mounted file system whose calls block on demand; needs `fuse-mount`. */
export class BlockingFiles implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();
  readonly #contents = new TemporaryDirectory();
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<Uint8Array>;

  private constructor() {
    this.#child = new Deno.Command("python3", {
      args: [PROGRAM, this.#directory.path, this.#contents.path],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.getReader();
  }

  /** Mounts it. */
  static async mount(): Promise<BlockingFiles> {
    const files = new BlockingFiles();
    await files.#waitForLine();
    return files;
  }

  /** Its folder. */
  get path(): string {
    return this.#directory.path;
  }

  /** Adds a file with these contents. Returns its path. */
  add(name: string, contents: string): string {
    this.#contents.write(name, contents);
    return this.#directory.join(name);
  }

  /** Blocks these calls, and no others, from now on. */
  async block(...calls: BlockedCall[]): Promise<void> {
    await this.#send(`block ${calls.join(" ")}\n`);
  }

  /** Responds to the blocked calls; later ones are still blocked. */
  async answer(): Promise<void> {
    await this.#send("answer\n");
  }

  /** Returns the number of open files that were closed, also of those that opened late. */
  async closed(): Promise<number> {
    return Number(await this.#send("closed\n"));
  }

  /** Returns the number of calls that are blocked now. */
  async waiting(): Promise<number> {
    return Number(await this.#send("waiting\n"));
  }

  /** Responds to all calls, the blocked ones included. */
  async allow(): Promise<void> {
    await this.#send("allow\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#child.status;
    await this.#output.cancel();
    this.#directory[Symbol.dispose]();
    this.#contents[Symbol.dispose]();
  }

  async #send(command: string): Promise<string> {
    await this.#input.write(new TextEncoder().encode(command));
    return await this.#waitForLine();
  }

  async #waitForLine(): Promise<string> {
    const { done, value } = await this.#output.read();
    if (done) throw new Error("the file system ended");
    return new TextDecoder().decode(value);
  }
}
