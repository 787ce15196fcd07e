/**
 * Load commands of a 64-bit Mach-O program (macOS): `mach-o/loader.h`.
 *
 * @module
 */

/** Bytes of `mach_header_64`. */
export const HEADER_BYTES = 32;

/** Commands that are read. */
export const COMMAND = {
  symbolTable: 0x2,
  dynamicSymbolTable: 0xb,
  segment64: 0x19,
  codeSignature: 0x1d,
  dyldInfo: 0x22,
  dyldInfoOnly: 0x8000_0022,
} as const;

/** Processors of our targets (`cputype`). */
export const PROCESSOR = { x64: 0x0100_0007, arm64: 0x0100_000c } as const;

/** One load command. */
export interface LoadCommand {
  readonly command: number;
  /** Offset in the file and length, bytes. */
  readonly offset: number;
  readonly size: number;
  /** Name of a segment, and its address ranges in memory and in the file. */
  readonly segment?: {
    readonly name: string;
    readonly memorySize: number;
    readonly fileOffset: number;
    readonly fileSize: number;
  };
}

/** Offsets in a segment command. */
export const SEGMENT = { memoryAddress: 24, memorySize: 32, fileOffset: 40, fileSize: 48 } as const;

/** Returns a view of the bytes of a program. */
export function viewOf(program: Uint8Array): DataView {
  return new DataView(program.buffer, program.byteOffset, program.byteLength);
}

/** Reads all load commands, in order. Throws if they do not match the header's size. */
export function readLoadCommands(program: Uint8Array): LoadCommand[] {
  const view = viewOf(program);
  const commands: LoadCommand[] = [];
  let offset = HEADER_BYTES;
  for (let i = view.getUint32(16, true); i > 0; i--) {
    const command = view.getUint32(offset, true);
    const size = view.getUint32(offset + 4, true);
    commands.push({
      command,
      offset,
      size,
      ...(command === COMMAND.segment64 ? { segment: readSegment(program, offset) } : {}),
    });
    offset += size;
  }
  if (offset !== HEADER_BYTES + view.getUint32(20, true)) {
    throw new Error("the program's load commands do not have the size in its header");
  }
  return commands;
}

function readSegment(program: Uint8Array, offset: number): NonNullable<LoadCommand["segment"]> {
  const view = viewOf(program);
  const number = (at: number) => Number(view.getBigUint64(offset + at, true));
  const name = new TextDecoder().decode(program.subarray(offset + 8, offset + 24));
  return {
    name: name.replace(/\0.*$/s, ""),
    memorySize: number(SEGMENT.memorySize),
    fileOffset: number(SEGMENT.fileOffset),
    fileSize: number(SEGMENT.fileSize),
  };
}

/** Returns the segment of that name. Throws if there is not exactly one. */
export function onlySegment(
  commands: readonly LoadCommand[],
  name: string,
): LoadCommand & { segment: NonNullable<LoadCommand["segment"]> } {
  const named = commands.flatMap((command) =>
    command.segment?.name === name ? [{ ...command, segment: command.segment }] : []
  );
  const [only] = named;
  if (!only || named.length !== 1) {
    throw new Error(`the program has ${named.length} segments ${name} instead of one`);
  }
  return only;
}
