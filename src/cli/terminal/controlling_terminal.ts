/**
 * Controlling terminal. No call stops the process. A job in the background does not touch the
 * terminal: the system would stop it by SIGTTIN or SIGTTOU.
 *
 * @module
 */
import { POSIX_SYSTEMS } from "../../runtime/system_table.ts";

const PATH = "/dev/tty";

const SYMBOLS = {
  // int open(const char *path, int flags)
  open: { parameters: ["buffer", "i32"], result: "i32" },
  // ssize_t read(int descriptor, void *buffer, size_t size)
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  // int close(int descriptor)
  close: { parameters: ["i32"], result: "i32" },
  // pid_t tcgetpgrp(int descriptor)
  tcgetpgrp: { parameters: ["i32"], result: "i32" },
  // pid_t getpgrp(void)
  getpgrp: { parameters: [], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const O_WRONLY = 1;
const BUFFER_BYTES = 256;

/** Controlling terminal of the process, without echo after {@link ask}. */
export class ControllingTerminal implements Disposable {
  readonly #buffer = new Uint8Array(BUFFER_BYTES);

  private constructor(
    private readonly library: Deno.DynamicLibrary<typeof SYMBOLS>,
    private readonly descriptor: number,
    private readonly device: Deno.FsFile,
  ) {}

  /** Opens the terminal. Returns undefined if the process has none. */
  static open(): ControllingTerminal | undefined {
    const system = POSIX_SYSTEMS[Deno.build.os];
    if (!system) return undefined;
    using opened = new DisposableStack();
    try {
      // Its modes are changed by this file; the other descriptor is read without blocking.
      const device = Deno.openSync(PATH, { read: true, write: true });
      opened.defer(() => device.close());
      const library = Deno.dlopen(system.library, SYMBOLS);
      opened.defer(() => library.close());
      const flags = system.openWithoutBlocking & ~O_WRONLY;
      const descriptor = library.symbols.open(new TextEncoder().encode(`${PATH}\0`), flags);
      if (descriptor < 0) return undefined;
      opened.move();
      return new ControllingTerminal(library, descriptor, device);
    } catch {
      return undefined;
    }
  }

  /** Returns `ours` if the process is in the terminal's foreground, and `closed` after the terminal was closed. */
  get state(): "ours" | "of another job" | "closed" {
    const { tcgetpgrp, getpgrp } = this.library.symbols;
    const foreground = tcgetpgrp(this.descriptor);
    if (foreground < 0) return "closed";
    return foreground === getpgrp() ? "ours" : "of another job";
  }

  /** Turns the echo off and writes a question. Does nothing if the terminal is not ours. */
  ask(question: string): void {
    this.#use(() => {
      this.device.setRaw(true); // before the question: a key may follow it at once
      this.device.writeSync(new TextEncoder().encode(question));
    });
  }

  /** Restores the modes and ends the line. Does nothing if the terminal is not ours. */
  restore(): void {
    this.#use(() => {
      this.device.setRaw(false);
      this.device.writeSync(new TextEncoder().encode("\r\n"));
    });
  }

  /** Writes a text. Does nothing if the terminal is not ours. */
  write(text: string): void {
    this.#use(() => this.device.writeSync(new TextEncoder().encode(text)));
  }

  /** Returns the typed bytes that are ready, maybe none, until the next call. */
  read(): Uint8Array {
    if (this.state !== "ours") return new Uint8Array(0);
    const count = this.library.symbols.read(this.descriptor, this.#buffer, BigInt(BUFFER_BYTES));
    return this.#buffer.subarray(0, Math.max(0, Number(count)));
  }

  #use(action: () => unknown): void {
    if (this.state !== "ours") return;
    try {
      action();
    } catch {
      // the terminal was closed meanwhile
    }
  }

  [Symbol.dispose](): void {
    this.#buffer.fill(0);
    this.library.symbols.close(this.descriptor);
    this.library.close();
    this.device.close();
  }
}
