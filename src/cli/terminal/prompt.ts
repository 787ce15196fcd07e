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
 * Writes `question` to the terminal and returns the typed line. Returns undefined if there is no terminal.
 * After a stop, which leaves the shell's modes on the terminal, asks once more.
 *
 * Throws `key-locked` on Ctrl-D, and `interrupted` on Ctrl-C, on signals that request termination, and if the
 * terminal is closed. Always restores the terminal.
 */
export async function promptSecret(question: string): Promise<string | undefined> {
  if (Deno.build.os === "windows") {
    const { promptOnConsole } = await import("./windows_console.ts");
    return await promptOnConsole(question);
  }
  using terminal = openTerminal();
  if (!terminal) return undefined;
  const editor = new LineEditor(UTF_8);
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {}); // awaited below, unless a signal comes later
  const end = () => ended.reject(interruptedError());
  const ask = () => {
    editor.clear();
    if (!writeUnechoed(terminal, question)) end();
  };
  // Ctrl-C is a key here: SIGINT and SIGQUIT come from other programs.
  const listeners: readonly (readonly [Deno.Signal, () => void])[] = [
    ...[...TERMINATION_SIGNALS, "SIGQUIT" as const].map((signal) => [signal, end] as const),
    ["SIGCONT", ask],
  ];
  // Before the question: a signal may follow it at once.
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  try {
    ask();
    return await Promise.race([readLine(terminal.input, editor), ended.promise]);
  } finally {
    await discardInput();
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    editor.clear();
    restore(terminal);
  }
}

/** Turns the echo off, then writes. Returns false if the terminal is closed. */
function writeUnechoed({ input, output }: Terminal, text: string): boolean {
  try {
    input.setRaw(true); // before the question: a key may follow it at once
    output.writeSync(new TextEncoder().encode(text));
    return true;
  } catch {
    return false;
  }
}

function restore({ input, output }: Terminal): void {
  try {
    input.setRaw(false);
    output.writeSync(new TextEncoder().encode("\r\n"));
  } catch {
    // the terminal is closed
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

async function readLine(input: Deno.FsFile, editor: LineEditor): Promise<string> {
  const byte = new Uint8Array(1);
  for (;;) {
    if (await readByte(input, byte) === null) throw interruptedError();
    if (editor.type(byte[0] ?? 0) === "done") {
      return new TextDecoder().decode(new Uint8Array(editor.take()));
    }
  }
}

/** Reads one byte. Returns null if the terminal is closed: EIO, or no byte. */
async function readByte(input: Deno.FsFile, byte: Uint8Array): Promise<number | null> {
  try {
    return await input.read(byte);
  } catch {
    return null;
  }
}
