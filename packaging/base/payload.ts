/**
 * Taking the payload of `deno compile` off a program, by the program's format.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { elfWithoutPayload } from "./elf.ts";
import { machoPayload, machoWithoutPayload } from "./macho.ts";
import { peWithoutPayload } from "./pe.ts";

/** What is done with the programs of one format. */
interface Format {
  readonly withoutPayload: (program: Uint8Array) => Uint8Array;
  /** The payload, and perhaps more; throws when there are several. Absent: the whole program. */
  readonly payload?: (program: Uint8Array) => Uint8Array;
}

/** The formats that programs of our targets have, by their first bytes in hex. */
const FORMATS: Readonly<Record<string, Format>> = {
  "7f454c46": { withoutPayload: elfWithoutPayload },
  "4d5a": { withoutPayload: peWithoutPayload },
  "cffaedfe": { withoutPayload: machoWithoutPayload, payload: machoPayload },
};

/** The program as it was before `deno compile` put a payload into it. */
export function withoutPayload(program: Uint8Array): Uint8Array {
  return formatOf(program).withoutPayload(program);
}

/**
 * Checks a compiled program: it holds one payload, and `bundle` (the text it runs) stands once in
 * it. A base binary with a payload left in it would run that one.
 */
export function checkPayload(program: Uint8Array, bundle: Uint8Array): void {
  const payload = formatOf(program).payload?.(program) ?? program;
  const buffer = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const first = buffer.indexOf(bundle);
  if (first < 0) throw new Error("the program does not hold the bundle it was compiled from");
  if (buffer.indexOf(bundle, first + 1) >= 0) throw new Error("the program holds two payloads");
}

function formatOf(program: Uint8Array): Format {
  const start = Array.from(program.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  const format = Object.entries(FORMATS).find(([magic]) => start.startsWith(magic))?.[1];
  if (!format) throw new Error("the program is neither ELF, PE nor Mach-O");
  return format;
}
