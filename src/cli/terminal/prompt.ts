/**
 * Prompts for a secret on the controlling terminal without echo, never on standard input.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { ControllingTerminal } from "./controlling_terminal.ts";
import { interruptedError, LineEditor, type TypedEncoding } from "./line_editor.ts";
import { onTermination } from "./signals.ts";
import { TerminalLock } from "./terminal_lock.ts";

const UTF_8: TypedEncoding = {
  isContinuation: (byte) => (byte & 0xc0) === 0x80,
  endOfInput: 4, // Ctrl-D
};

/** Times, milliseconds. */
const TIMES = {
  /** Interval between two looks at the terminal. */
  interval: 20,
  /** Time in which a job in the background must come to the foreground. */
  background: 60_000,
  /** Time in which another prompt on the terminal must be answered. */
  otherPrompt: 300_000,
  /** Time after which a message names the other prompt, whose process may be stopped. */
  notice: 10_000,
  /** Time without input after which a paste has ended, and the maximum time of a paste. */
  paste: { quiet: 100, max: 5_000 },
} as const;

/** Maximum number of reads at one look; the kernel's buffer is smaller. */
const MAX_READS = 1024;

/** Signals that would end the process without restoring the terminal. */
const OTHER_SIGNALS: readonly Deno.Signal[] = ["SIGQUIT", "SIGALRM", "SIGUSR1", "SIGUSR2"];

/**
 * Writes `question` to the terminal and returns the typed line. Returns undefined if there is no terminal.
 * After a stop, which leaves the shell's modes on the terminal, asks once more.
 *
 * Throws `key-locked` on Ctrl-D, in the background, and if another prompt is not answered. Throws `interrupted`
 * on Ctrl-C, on signals that end a process, and if the terminal is closed. Always restores the terminal.
 */
export async function promptSecret(question: string): Promise<string | undefined> {
  if (Deno.build.os === "windows") {
    const { promptOnConsole } = await import("./windows_console.ts");
    return await promptOnConsole(question);
  }
  using terminal = ControllingTerminal.open();
  if (!terminal) return undefined;
  using lock = new TerminalLock();
  const prompt = new Prompt(terminal, lock, question);
  const end = () => prompt.end();
  const askAgain = () => prompt.askAgain();
  // Before the question: a signal may follow it at once. Ctrl-C is a key here, signals come from other programs.
  using _termination = onTermination(end);
  for (const signal of OTHER_SIGNALS) Deno.addSignalListener(signal, end);
  Deno.addSignalListener("SIGCONT", askAgain);
  try {
    return await prompt.readLine();
  } finally {
    await prompt.close();
    for (const signal of OTHER_SIGNALS) Deno.removeSignalListener(signal, end);
    Deno.removeSignalListener("SIGCONT", askAgain);
  }
}

/** A question on the terminal, and the line that is typed after it. */
class Prompt {
  readonly #editor = new LineEditor(UTF_8);
  #isAsked = false;
  #wasAsked = false;
  #isEnded = false;

  constructor(
    private readonly terminal: ControllingTerminal,
    private readonly lock: TerminalLock,
    private readonly question: string,
  ) {}

  /** Ends the prompt by `interrupted`. */
  end(): void {
    this.#isEnded = true;
  }

  /** Discards the typed line, and asks again. */
  askAgain(): void {
    this.#isAsked = false;
  }

  async readLine(): Promise<string> {
    try {
      for (let waited = 0;; waited += TIMES.interval) {
        const { state } = this.terminal;
        if (this.#isEnded || state === "closed") throw interruptedError();
        if (state === "ours" && this.lock.tryLock()) {
          waited = 0;
          if (!this.#isAsked) this.#ask();
          if (this.#typeAll()) {
            return new TextDecoder().decode(new Uint8Array(this.#editor.take()));
          }
        } else if (state === "ours") {
          if (waited > TIMES.otherPrompt) throw otherPromptError();
          if (waited === TIMES.notice) {
            this.terminal.write(`\r\n${OTHER_PROMPT}; waiting for it\r\n`);
          }
        } else if (waited > TIMES.background) throw backgroundError();
        await pause(TIMES.interval);
      }
    } finally {
      this.#editor.clear();
    }
  }

  /**
   * Discards the input after the line, as readpassphrase(3) does. The shell would run the other lines of a
   * paste, which may be secret. Then restores the terminal. Does nothing if nothing was asked.
   */
  async close(): Promise<void> {
    if (!this.#wasAsked) return;
    const end = performance.now() + TIMES.paste.max;
    let quiet = this.#discard() ? 0 : TIMES.paste.quiet;
    while (quiet < TIMES.paste.quiet && performance.now() < end) {
      await pause(TIMES.interval);
      quiet = this.#discard() ? 0 : quiet + TIMES.interval;
    }
    this.terminal.restore();
  }

  #ask(): void {
    this.#isAsked = true;
    this.#wasAsked = true;
    this.#editor.clear();
    this.terminal.ask(this.question);
  }

  /** Adds the typed bytes to the line. Returns true if they end it. */
  #typeAll(): boolean {
    return this.#readAll((bytes) => bytes.some((byte) => this.#editor.type(byte) === "done"));
  }

  /** Discards the typed bytes. Returns true if there were some. */
  #discard(): boolean {
    let length = 0;
    this.#readAll((bytes) => {
      length += bytes.length;
      return false;
    });
    return length > 0;
  }

  /** Passes on the typed bytes that are ready, until `use` returns true. Returns its last result. */
  #readAll(use: (bytes: Uint8Array) => boolean): boolean {
    for (let reads = 0; reads < MAX_READS; reads++) {
      const bytes = this.terminal.read();
      try {
        if (use(bytes)) return true;
        if (bytes.length === 0) return false;
      } finally {
        bytes.fill(0);
      }
    }
    return false;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const OTHER_PROMPT = "another prompt is open on this terminal";

function otherPromptError(): HelperError {
  return new HelperError(
    "key-locked",
    `${OTHER_PROMPT}; answer it first, or set the secret by a flag`,
  );
}

function backgroundError(): HelperError {
  return new HelperError(
    "key-locked",
    "the terminal belongs to another job; run in the foreground, or set the secret by a flag",
  );
}
