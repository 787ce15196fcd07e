/**
 * Prompts for a secret on the controlling terminal without echo, never on standard input.
 *
 * @module
 */
import { openInThread } from "../../files/thread_file.ts";
import { interruptedError, LineEditor, type TypedEncoding } from "./line_editor.ts";
import { TERMINATION_SIGNALS } from "./signals.ts";

const UTF_8: TypedEncoding = {
  isContinuation: (byte) => (byte & 0xc0) === 0x80,
  endOfInput: 4, // Ctrl-D
};

/** The controlling terminal. */
const TERMINAL = "/dev/tty";

/** An open terminal. */
interface Terminal extends Disposable {
  readonly input: Deno.FsFile;
  readonly output: Deno.FsFile;
}

/**
 * Writes `question` to the terminal and returns the typed line. Returns undefined if there is no
 * terminal, or it was closed.
 *
 * Throws `key-locked` on Ctrl-D, and `interrupted` on Ctrl-C and on signals that request termination. Always restores the terminal.
 */
export async function promptSecret(question: string): Promise<string | undefined> {
  if (Deno.build.os === "windows") {
    const { promptOnConsole } = await import("./windows_console.ts");
    return await promptOnConsole(question);
  }
  using terminal = openTerminal();
  if (!terminal) return undefined;
  const ended = Promise.withResolvers<never>();
  const end = () => ended.reject(interruptedError());
  // Ctrl-C is a key here: SIGINT and SIGQUIT come from other programs.
  const signals: readonly Deno.Signal[] = [...TERMINATION_SIGNALS, "SIGQUIT"];
  ended.promise.catch(() => {}); // awaited below, unless a signal comes later
  // Both before the question: a key or a signal may follow it at once.
  signals.forEach((signal) => Deno.addSignalListener(signal, end));
  terminal.input.setRaw(true);
  try {
    terminal.output.writeSync(new TextEncoder().encode(question));
    return await Promise.race([readLine(terminal.input), ended.promise]);
  } finally {
    await discardInput();
    signals.forEach((signal) => Deno.removeSignalListener(signal, end));
    terminal.input.setRaw(false);
    terminal.output.writeSync(new TextEncoder().encode("\r\n"));
  }
}

function openTerminal(): Terminal | undefined {
  try {
    const input = Deno.openSync(TERMINAL, { read: true, write: true });
    try {
      const output = Deno.openSync(TERMINAL, { write: true });
      return {
        input,
        output,
        [Symbol.dispose]() {
          input.close();
          output.close();
        },
      };
    } catch {
      input.close();
      return undefined;
    }
  } catch {
    return undefined;
  }
}

/** Maximum number of typed bytes that are discarded; a terminal's buffer is smaller. */
const MAX_DISCARDED = 1 << 20;

/**
 * Discards the input after the line, as readpassphrase(3) does: the shell would run the other lines of a
 * paste, which may be secret.
 */
async function discardInput(): Promise<void> {
  const file = await openInThread(TERMINAL);
  if (!file) return;
  const bytes = new Uint8Array(1024);
  try {
    // It is opened with O_NONBLOCK: a read fails if nothing is left.
    for (let length = 0; length < MAX_DISCARDED;) {
      const count = await file.read(bytes);
      if (count === 0) break;
      length += count;
    }
  } catch {
    // nothing is left
  } finally {
    bytes.fill(0);
    await file.close();
  }
}

async function readLine(input: Deno.FsFile): Promise<string | undefined> {
  const editor = new LineEditor(UTF_8);
  const byte = new Uint8Array(1);
  for (;;) {
    if (await input.read(byte) === null) return undefined;
    if (editor.type(byte[0] ?? 0) === "done") {
      return new TextDecoder().decode(new Uint8Array(editor.take()));
    }
  }
}
