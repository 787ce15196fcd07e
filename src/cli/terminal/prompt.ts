/**
 * Prompts for a secret on the controlling terminal without echo, never on standard input.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { ControllingTerminal } from "./controlling_terminal.ts";
import { interruptedError, LineEditor, type TypedEncoding } from "./line_editor.ts";
import { onTermination } from "./signals.ts";

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
} as const;

/** Maximum number of typed bytes that are discarded; a terminal's buffer is smaller. */
const MAX_DISCARDED = 1 << 20;

/**
 * Writes `question` to the terminal and returns the typed line. Returns undefined if there is no terminal.
 * After a stop, which leaves the shell's modes on the terminal, asks once more.
 *
 * Throws `key-locked` on Ctrl-D and in the background. Throws `interrupted` on Ctrl-C, on signals
 * that request termination, and if the terminal is closed. Always restores the terminal.
 */
export async function promptSecret(question: string): Promise<string | undefined> {
  if (Deno.build.os === "windows") {
    const { promptOnConsole } = await import("./windows_console.ts");
    return await promptOnConsole(question);
  }
  using terminal = ControllingTerminal.open();
  if (!terminal) return undefined;
  const prompt = new Prompt(terminal, question);
  const end = () => prompt.end();
  const askAgain = () => prompt.askAgain();
  // Before the question: a signal may follow it at once. Ctrl-C is a key here, signals come from other programs.
  using _termination = onTermination(end);
  Deno.addSignalListener("SIGQUIT", end);
  Deno.addSignalListener("SIGCONT", askAgain);
  try {
    return await prompt.readLine();
  } finally {
    discardInput(terminal);
    Deno.removeSignalListener("SIGQUIT", end);
    Deno.removeSignalListener("SIGCONT", askAgain);
    terminal.restore();
  }
}

/** A question on the terminal, and the line that is typed after it. */
class Prompt {
  readonly #editor = new LineEditor(UTF_8);
  #isAsked = false;
  #isEnded = false;

  constructor(
    private readonly terminal: ControllingTerminal,
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
        if (state === "ours") {
          waited = 0;
          if (!this.#isAsked) this.#ask();
          if (this.#type(this.terminal.read())) {
            return new TextDecoder().decode(new Uint8Array(this.#editor.take()));
          }
        } else if (waited > TIMES.background) throw backgroundError();
        await new Promise((resolve) => setTimeout(resolve, TIMES.interval));
      }
    } finally {
      this.#editor.clear();
    }
  }

  #ask(): void {
    this.#isAsked = true;
    this.#editor.clear();
    this.terminal.ask(this.question);
  }

  /** Adds typed bytes to the line. Returns true if they end it; the rest is discarded. */
  #type(bytes: Uint8Array): boolean {
    try {
      return bytes.some((byte) => this.#editor.type(byte) === "done");
    } finally {
      bytes.fill(0);
    }
  }
}

function backgroundError(): HelperError {
  return new HelperError(
    "key-locked",
    "the terminal belongs to another job; run in the foreground, or set the secret by a flag",
  );
}

/**
 * Discards the input after the line, as readpassphrase(3) does. The shell would run the other lines
 * of a paste, which may be secret.
 */
function discardInput(terminal: ControllingTerminal): void {
  for (let length = 0; length < MAX_DISCARDED;) {
    const bytes = terminal.read();
    if (bytes.length === 0) return;
    length += bytes.length;
    bytes.fill(0);
  }
}
