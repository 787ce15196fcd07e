/**
 * Prompts for a secret on the Windows console. Uses the console functions, which return Unicode,
 * because file reads depend on the console's code page.
 *
 * @module
 */
import { interruptedError, LineEditor, type TypedEncoding } from "./line_editor.ts";
import { onTermination } from "./signals.ts";

/** kernel32.dll (consoleapi.h, fileapi.h). Handles are pointer-sized integers. */
const KERNEL32 = {
  CreateFileW: {
    // LPCWSTR, DWORD dwDesiredAccess, DWORD dwShareMode, LPSECURITY_ATTRIBUTES,
    // DWORD dwCreationDisposition, DWORD dwFlagsAndAttributes, HANDLE hTemplateFile
    parameters: ["buffer", "u32", "u32", "pointer", "u32", "u32", "pointer"],
    result: "isize",
  },
  GetConsoleMode: { parameters: ["isize", "buffer"], result: "i32" }, // HANDLE, LPDWORD
  SetConsoleMode: { parameters: ["isize", "u32"], result: "i32" }, // HANDLE, DWORD dwMode
  ReadConsoleW: {
    // HANDLE, LPVOID, DWORD nNumberOfCharsToRead, LPDWORD lpNumberOfCharsRead, pInputControl
    parameters: ["isize", "buffer", "u32", "buffer", "pointer"],
    result: "i32",
    nonblocking: true, // so that signals are handled meanwhile
  },
  WriteConsoleW: {
    parameters: ["isize", "buffer", "u32", "buffer", "pointer"], // HANDLE, VOID *, DWORD, LPDWORD, -
    result: "i32",
  },
  CloseHandle: { parameters: ["isize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Kernel32 = Deno.DynamicLibrary<typeof KERNEL32>["symbols"];

/** `GENERIC_READ | GENERIC_WRITE`, `FILE_SHARE_READ | FILE_SHARE_WRITE`, `OPEN_EXISTING`. */
const ACCESS = 0xc000_0000;
const SHARE = 3;
const EXISTING = 3;
/** No `ENABLE_LINE_INPUT`, `ENABLE_ECHO_INPUT` or `ENABLE_PROCESSED_INPUT`: raw input, no echo. */
const RAW_MODE = 0;
/** Buffer length for ReadConsoleW, UTF-16 units. */
const BUFFER_LENGTH = 256;

const UTF_16: TypedEncoding = {
  isContinuation: (unit) => (unit & 0xfc00) === 0xdc00,
  endOfInput: 26, // Ctrl-Z
};

const encodeUtf16 = (text: string) =>
  Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));

/**
 * Writes `question` to the console and returns the typed line. Returns undefined if there is no
 * console. Throws `key-locked` on Ctrl-Z, and `interrupted` on Ctrl-C and Ctrl-Break. Always restores the
 * console.
 */
export async function promptOnConsole(question: string): Promise<string | undefined> {
  using owned = new DisposableStack();
  const library = Deno.dlopen("kernel32.dll", KERNEL32);
  owned.defer(() => library.close());
  const { symbols } = library;
  const input = openConsole(symbols, "CONIN$", owned);
  const output = openConsole(symbols, "CONOUT$", owned);
  const mode = new Uint32Array(1);
  if (input === undefined || output === undefined) return undefined;
  if (symbols.GetConsoleMode(input, mode) === 0) return undefined;

  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {}); // awaited below, unless a signal comes later
  const end = () => ended.reject(interruptedError());
  owned.use(onTermination(end));
  symbols.SetConsoleMode(input, RAW_MODE);
  owned.defer(() => {
    symbols.SetConsoleMode(input, mode[0] ?? 0);
    write(symbols, output, "\r\n");
  });
  write(symbols, output, question);
  return await Promise.race([readLine(symbols, input), ended.promise]);
}

function openConsole(symbols: Kernel32, name: string, owned: DisposableStack) {
  const handle = symbols.CreateFileW(
    encodeUtf16(`${name}\0`),
    ACCESS,
    SHARE,
    null,
    EXISTING,
    0,
    null,
  );
  if (handle === -1n) return undefined;
  owned.defer(() => symbols.CloseHandle(handle));
  return handle;
}

function write(symbols: Kernel32, output: bigint, text: string): void {
  const units = encodeUtf16(text);
  symbols.WriteConsoleW(output, units, units.length, new Uint32Array(1), null);
}

async function readLine(symbols: Kernel32, input: bigint): Promise<string | undefined> {
  const editor = new LineEditor(UTF_16);
  const units = new Uint16Array(BUFFER_LENGTH);
  const count = new Uint32Array(1);
  try {
    for (;;) {
      const read = await symbols.ReadConsoleW(input, units, units.length, count, null);
      if (read === 0) return undefined;
      for (const unit of units.subarray(0, count[0])) {
        if (editor.type(unit) === "done") return String.fromCharCode(...editor.take());
      }
    }
  } finally {
    units.fill(0);
  }
}
