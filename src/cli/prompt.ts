/**
 * Asking for a secret on the controlling terminal: never on standard input, without echo.
 *
 * @module
 */
import { HelperError } from "../errors.ts";

const KEY = {
  interrupt: 3,
  endOfFile: 4,
  backspace: 8,
  lineFeed: 10,
  enter: 13,
  kill: 21,
  delete: 127,
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
  using terminal = openTerminal();
  if (!terminal) return undefined;
  const ended = Promise.withResolvers<never>();
  const end = () => ended.reject(interrupted());
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGTERM", "SIGHUP"];
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
  const [inputPath, outputPath] = Deno.build.os === "windows"
    ? ["CONIN$", "CONOUT$"]
    : ["/dev/tty", "/dev/tty"];
  try {
    const input = Deno.openSync(inputPath, { read: true, write: true });
    try {
      const output = Deno.openSync(outputPath, { write: true });
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
  const typed: number[] = [];
  const byte = new Uint8Array(1);
  for (;;) {
    if (await input.read(byte) === null) return undefined;
    const key = byte[0] ?? 0;
    if (key === KEY.enter || key === KEY.lineFeed) break;
    if (key === KEY.interrupt) throw interrupted();
    if (key === KEY.endOfFile && typed.length === 0) return undefined;
    if (key === KEY.backspace || key === KEY.delete) eraseCharacter(typed);
    else if (key === KEY.kill) typed.length = 0;
    else if (key >= 0x20) typed.push(key);
  }
  const text = new TextDecoder().decode(new Uint8Array(typed));
  typed.fill(0);
  return text;
}

/** Takes the last UTF-8 character off: its continuation bytes and the byte that leads them. */
function eraseCharacter(typed: number[]): void {
  let removed = typed.pop();
  while (removed !== undefined && (removed & 0xc0) === 0x80) removed = typed.pop();
}

function interrupted(): HelperError {
  return new HelperError("interrupted", "interrupted at a prompt; nothing was done");
}
