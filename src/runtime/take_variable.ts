/**
 * Takes a variable that has a secret out of the environment.
 *
 * @module
 */
import { readVariable } from "./read_variable.ts";
import { POSIX_SYSTEMS } from "./system_table.ts";

const SYMBOLS = {
  // char *getenv(const char *name)
  getenv: { parameters: ["buffer"], result: "pointer" },
  // size_t strlen(const char *text)
  strlen: { parameters: ["pointer"], result: "usize" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * Returns the value of a variable, and removes the variable: child processes do not inherit it. On
 * Linux and macOS the value is overwritten too, so `/proc/PID/environ` does not have it. There it
 * need not be UTF-8.
 */
export function takeVariable(name: string): Uint8Array<ArrayBuffer> | undefined {
  const system = POSIX_SYSTEMS[Deno.build.os];
  const value = system ? takeValue(name, system.library) : encode(readVariable(name));
  if (value !== undefined) Deno.env.delete(name);
  return value;
}

function encode(text: string | undefined): Uint8Array<ArrayBuffer> | undefined {
  return text === undefined ? undefined : new TextEncoder().encode(text);
}

function takeValue(name: string, path: string): Uint8Array<ArrayBuffer> | undefined {
  const library = Deno.dlopen(path, SYMBOLS);
  try {
    const { getenv, strlen } = library.symbols;
    const pointer = getenv(new TextEncoder().encode(`${name}\0`));
    if (pointer === null) return undefined;
    const length = Number(strlen(pointer));
    if (length === 0) return new Uint8Array(0);
    const memory = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length));
    const value = memory.slice();
    memory.fill(0);
    return value;
  } finally {
    library.close();
  }
}
