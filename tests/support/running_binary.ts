import { BINARY, leastEnvironment, within } from "./binary.ts";
import { endProcess } from "./end_process.ts";

/** Timeout without new output, milliseconds. */
const MAX_SILENCE = 120_000;

/** A long-running run of the binary, with its output. */
export class RunningBinary implements AsyncDisposable {
  /** Lines of standard error so far. */
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;
  #changed = Promise.withResolvers<void>();

  /** Starts it with only the given environment, without input. Its standard output must stay empty. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>>, wrapper?: string[]) {
    const [command = BINARY, ...rest] = [...wrapper ?? [], BINARY, ...args];
    this.#child = new Deno.Command(command, {
      args: rest,
      clearEnv: true,
      env: { ...leastEnvironment(), ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#read = this.#readLines();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Waits until a line from number `from` on matches. Fails if the program ends first. */
  async waitForLine(pattern: RegExp, from = 0): Promise<string> {
    for (;;) {
      const line = this.lines.slice(from).find((line) => pattern.test(line));
      if (line !== undefined) return line;
      const ended = this.#child.status.then(async () => {
        await this.#read;
        if (this.lines.slice(from).some((line) => pattern.test(line))) return;
        throw new Error(`it ended without ${pattern}: ${this.lines.join(" | ")}`);
      });
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        late.reject(new Error(`no line matches ${pattern}: ${this.lines.join(" | ")}`));
      }, MAX_SILENCE);
      await Promise.race([this.#changed.promise, ended, late.promise])
        .finally(() => clearTimeout(timer));
    }
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for its end. Returns exit code and standard output. Throws if it does not end. */
  async end(): Promise<{ code: number; stdout: string }> {
    const ended = Promise.all([
      this.#child.status,
      new Response(this.#child.stdout).text(),
      this.#read,
    ]);
    const result = await within(MAX_SILENCE, ended);
    if (result === undefined) {
      this.kill("SIGKILL");
      throw new Error(`it does not end: ${this.lines.join(" | ")}`);
    }
    const [{ code }, stdout] = result;
    return { code, stdout };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#child);
    await this.#read;
    if (!this.#child.stdout.locked) await this.#child.stdout.cancel();
  }

  async #readLines(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers<void>();
    }
  }
}
