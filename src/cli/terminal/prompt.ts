/**
 * Asking for a secret on the controlling terminal: never on standard input, without echo.
 *
 * @module
 */
import { interrupted, LineEditor, type TypedEncoding } from "./line_editor.ts";

const UTF_8: TypedEncoding = {
  isContinuation: (byte) => (byte & 0xc0) === 0x80,
  endOfInput: 4, // Ctrl-D
};

/** A terminal, open for questions. */
interface Terminal extends Disposable {
  readonly input: Deno.FsFile;
  readonly output: Deno.FsFile;
}

/**
 * Writes `question` to the terminal and gives the line that is typed; undefined when there is no
 * terminal or it is at its end.
 *
 * Throws `interrupted` on Ctrl-C and when the process is asked to end. The terminal is restored in
 * every case.
 */
export async function promptSecret(question: string): Promise<string | undefined> {
  if (Deno.build.os === "windows") {
    const { promptOnConsole } = await import("./windows_console.ts");
    return await promptOnConsole(question);
  }
  using terminal = openTerminal();
  if (!terminal) return undefined;
  const ended = Promise.withResolvers<never>();
  const end = () => ended.reject(interrupted());
  const signals: readonly Deno.Signal[] = ["SIGTERM", "SIGHUP"];
  ended.promise.catch(() => {}); // it is raced below, if a signal comes in time
  // Both before the question: whoever sees it may type, or send a signal, at once.
  signals.forEach((signal) => Deno.addSignalListener(signal, end));
  terminal.input.setRaw(true);
  try {
    terminal.output.writeSync(new TextEncoder().encode(question));
    return await Promise.race([readLine(terminal.input), ended.promise]);
  } finally {
    signals.forEach((signal) => Deno.removeSignalListener(signal, end));
    terminal.input.setRaw(false);
    terminal.output.writeSync(new TextEncoder().encode("\r\n"));
  }
}

function openTerminal(): Terminal | undefined {
  try {
    const input = Deno.openSync("/dev/tty", { read: true, write: true });
    try {
      const output = Deno.openSync("/dev/tty", { write: true });
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

async function readLine(input: Deno.FsFile): Promise<string | undefined> {
  const editor = new LineEditor(UTF_8);
  const byte = new Uint8Array(1);
  for (;;) {
    if (await input.read(byte) === null) return undefined;
    const state = editor.type(byte[0] ?? 0);
    if (state === "end of input") return undefined;
    if (state === "done") return new TextDecoder().decode(new Uint8Array(editor.take()));
  }
}
