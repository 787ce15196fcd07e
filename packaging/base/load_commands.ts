/**
 * The load commands of a 64-bit Mach-O program (macOS): `mach-o/loader.h`.
 *
 * @module
 */

/** Bytes of `mach_header_64`. */
export const HEADER_BYTES = 32;

/** Commands that are looked at. */
export const COMMAND = {
  symbolTable: 0x2,
  dynamicSymbolTable: 0xb,
  segment64: 0x19,
  codeSignature: 0x1d,
  dyldInfo: 0x22,
  dyldInfoOnly: 0x8000_0022,
} as const;

/** The processors of our targets, as the header names them. */
export const PROCESSOR = { x64: 0x0100_0007, arm64: 0x0100_000c } as const;

/** One load command. */
export interface LoadCommand {
  readonly command: number;
  /** Where it stands in the file, and how long it is, bytes. */
  readonly offset: number;
  readonly size: number;
  /** What a segment is called, and where it stands in memory and in the file. */
  readonly segment?: {
    readonly name: string;
    readonly memorySize: number;
    readonly fileOffset: number;
    readonly fileSize: number;
  };
}

/** Offsets in a segment command. */
export const SEGMENT = { memoryAddress: 24, memorySize: 32, fileOffset: 40, fileSize: 48 } as const;

/** A view over the bytes of a program. */
export function viewOf(program: Uint8Array): DataView {
  return new DataView(program.buffer, program.byteOffset, program.byteLength);
}

/** Reads every load command, in their order. Throws when they do not fill what the header says. */
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
    throw new Error("the load commands of the program do not have the size its header says");
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

/** The segment of that name; an Error when there is not exactly one. */
export function onlySegment(
  commands: readonly LoadCommand[],
  name: string,
): LoadCommand & { segment: NonNullable<LoadCommand["segment"]> } {
  const named = commands.flatMap((command) =>
    command.segment?.name === name ? [{ ...command, segment: command.segment }] : []
  );
  const [only] = named;
  if (!only || named.length !== 1) {
    throw new Error(`the program has ${named.length} segments ${name}, and must have one`);
  }
  return only;
}
