/**
 * Removes the payload of `deno compile` from a program, by the program's format.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { elfWithoutPayload } from "./elf.ts";
import { machoPayload, machoWithoutPayload, machoWithoutSignature } from "./macho.ts";
import { peWithoutPayload } from "./pe.ts";
import type { Target } from "../targets.ts";

/** Functions for programs of one format. */
interface Format {
  readonly removePayload: (program: Uint8Array) => Uint8Array;
  /** Returns the payload and possibly more; throws if there are several. Absent: the whole program. */
  readonly payload?: (program: Uint8Array) => Uint8Array;
  /** Returns the program without what `deno compile` computes from the payload. Absent: the whole program. */
  readonly removeSignature?: (program: Uint8Array) => Uint8Array;
}

/** First bytes of a program in hex, by its format. */
export const MAGIC: Readonly<Record<Target["format"], string>> = {
  "elf": "7f454c46",
  "pe": "4d5a",
  "mach-o": "cffaedfe",
};

/** Formats of our targets, by their first bytes in hex. */
const FORMATS: Readonly<Record<string, Format>> = {
  [MAGIC.elf]: { removePayload: elfWithoutPayload },
  [MAGIC.pe]: { removePayload: peWithoutPayload },
  [MAGIC["mach-o"]]: {
    removePayload: machoWithoutPayload,
    payload: machoPayload,
    removeSignature: machoWithoutSignature,
  },
};

/** Returns the program without the payload of `deno compile`. */
export function removePayload(program: Uint8Array): Uint8Array {
  return formatOf(program).removePayload(program);
}

/** Returns the part of a base binary that every program compiled with it has: it lacks the signature. */
export function constantPart(base: Uint8Array): Uint8Array {
  return formatOf(base).removeSignature?.(base) ?? base;
}

/**
 * Checks that a compiled program contains one payload, and `bundle` (the text it runs) once. A base binary
 * that still contains a payload would run that one.
 */
export function checkPayload(program: Uint8Array, bundle: Uint8Array): void {
  const payload = formatOf(program).payload?.(program) ?? program;
  const buffer = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const first = buffer.indexOf(bundle);
  if (first < 0) throw new Error("the program does not contain the bundle it was compiled from");
  if (buffer.indexOf(bundle, first + 1) >= 0) throw new Error("the program contains two payloads");
}

function formatOf(program: Uint8Array): Format {
  const start = Array.from(program.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  const format = Object.entries(FORMATS).find(([magic]) => start.startsWith(magic))?.[1];
  if (!format) throw new Error("the program is neither ELF, PE nor Mach-O");
  return format;
}
