/**
 * Mach-O programs (macOS) made by `deno compile`. On arm64 the payload is a separate segment,
 * `__SUI`, right before `__LINKEDIT`. On x64 it is appended after a marker, and `__LINKEDIT` is
 * extended over it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  COMMAND,
  HEADER_BYTES,
  type LoadCommand,
  onlySegment,
  PROCESSOR,
  readLoadCommands,
  SEGMENT,
  viewOf,
} from "./load_commands.ts";

/** Segment of the payload. */
const PAYLOAD_SEGMENT = "__SUI";
/** Marker before the payload on x64; then its length and the payload follow. */
const PAYLOAD_MARK = new Uint8Array([
  ...new TextEncoder().encode("<~sui-data~>"),
  ...[0xef, 0xbe, 0xad, 0xde],
]);
/** Bytes of the payload's length on x64. */
const LENGTH_BYTES = 8;

/** Returns the program without its payload. Throws if there is not exactly one. */
export function machoWithoutPayload(program: Uint8Array): Uint8Array {
  const commands = readLoadCommands(program);
  return viewOf(program).getUint32(4, true) === PROCESSOR.x64
    ? withoutAppended(program, commands)
    : withoutSegment(program, commands);
}

/**
 * Returns the payload of a program that `deno compile` made. Throws if there is not exactly one: the
 * program could then start with another payload.
 */
export function machoPayload(program: Uint8Array): Uint8Array {
  if (viewOf(program).getUint32(4, true) === PROCESSOR.x64) {
    return program.subarray(markOf(program) + PAYLOAD_MARK.length);
  }
  const { segment } = onlySegment(readLoadCommands(program), PAYLOAD_SEGMENT);
  return program.subarray(segment.fileOffset, segment.fileOffset + segment.fileSize);
}

/**
 * Returns the program without its code signature, if it has one. The signature contains the hashes
 * of all pages, so it differs for each payload. Throws if the signature is not the end of the
 * program.
 */
export function machoWithoutSignature(program: Uint8Array): Uint8Array {
  const commands = readLoadCommands(program);
  const signature = commands.find(({ command }) => command === COMMAND.codeSignature);
  if (!signature) return program;
  const view = viewOf(program);
  const start = view.getUint32(signature.offset + 8, true);
  if (start + view.getUint32(signature.offset + 12, true) !== program.length) {
    throw new Error("the code signature does not end with the program");
  }
  const unsigned = program.slice(0, start);
  const write = viewOf(unsigned);
  write.setUint32(signature.offset + 12, 0, true);
  const linkEdit = onlySegment(commands, "__LINKEDIT");
  const size = BigInt(start - linkEdit.segment.fileOffset);
  write.setBigUint64(linkEdit.offset + SEGMENT.memorySize, size, true);
  write.setBigUint64(linkEdit.offset + SEGMENT.fileSize, size, true);
  return unsigned;
}

function markOf(program: Uint8Array): number {
  const marks = positions(program, PAYLOAD_MARK);
  const [only] = marks;
  if (only === undefined || marks.length !== 1) {
    throw new Error(`the program has ${marks.length} payloads instead of one`);
  }
  return only;
}

function withoutAppended(program: Uint8Array, commands: readonly LoadCommand[]): Uint8Array {
  const end = markOf(program);
  const start = end + PAYLOAD_MARK.length + LENGTH_BYTES;
  if (start + Number(viewOf(program).getBigUint64(start - LENGTH_BYTES, true)) !== program.length) {
    throw new Error("the payload does not end with the program");
  }
  const base = program.slice(0, end);
  const view = viewOf(base);
  const linkEdit = onlySegment(commands, "__LINKEDIT");
  const size = BigInt(end - linkEdit.segment.fileOffset);
  view.setBigUint64(linkEdit.offset + SEGMENT.memorySize, size, true);
  view.setBigUint64(linkEdit.offset + SEGMENT.fileSize, size, true);
  for (const { command, offset } of commands) {
    if (command !== COMMAND.symbolTable) continue;
    view.setUint32(offset + 20, end - view.getUint32(offset + 16, true), true);
  }
  return base;
}

function withoutSegment(program: Uint8Array, commands: readonly LoadCommand[]): Uint8Array {
  const payload = onlySegment(commands, PAYLOAD_SEGMENT);
  const linkEdit = onlySegment(commands, "__LINKEDIT");
  const { fileOffset: start, fileSize: size } = payload.segment;
  const linkEditStart = linkEdit.segment.fileOffset;
  if (start + size !== linkEditStart) throw new Error("__SUI is not before __LINKEDIT");

  const moved = program.slice();
  const view = viewOf(moved);
  for (const at of commands.flatMap(linkEditOffsets)) {
    const value = view.getUint32(at, true);
    if (value >= linkEditStart) view.setUint32(at, value - size, true);
  }
  const lower = (at: number, by: number) =>
    view.setBigUint64(at, view.getBigUint64(at, true) - BigInt(by), true);
  lower(linkEdit.offset + SEGMENT.memoryAddress, payload.segment.memorySize);
  lower(linkEdit.offset + SEGMENT.fileOffset, size);

  const kept = commands.filter((command) => command.offset !== payload.offset)
    .map(({ offset, size }) => moved.subarray(offset, offset + size));
  const keptBytes = kept.reduce((sum, { length }) => sum + length, 0);
  const room = view.getUint32(20, true);
  view.setUint32(16, kept.length, true);
  view.setUint32(20, keptBytes, true);
  return Buffer.concat([
    moved.subarray(0, HEADER_BYTES),
    ...kept,
    new Uint8Array(room - keptBytes),
    moved.subarray(HEADER_BYTES + room, start),
    moved.subarray(linkEditStart),
  ]);
}

/** Positions of file offsets into `__LINKEDIT` in a load command. */
function linkEditOffsets({ command, offset }: LoadCommand): number[] {
  const fields: Readonly<Record<number, readonly number[]>> = {
    [COMMAND.symbolTable]: [8, 16],
    [COMMAND.dynamicSymbolTable]: [32, 40, 48, 56, 64, 72],
    [COMMAND.dyldInfo]: [8, 16, 24, 32, 40],
    [COMMAND.dyldInfoOnly]: [8, 16, 24, 32, 40],
  };
  return (fields[command] ?? (LINKEDIT_DATA.includes(command) ? [8] : [])).map((at) => offset + at);
}

/**
 * The `linkedit_data_command`s. They are code signature, split information, function starts, data
 * in code and signing requirements. The others are linker hints, optimisation hints, exports trie
 * and chained fixups.
 */
const LINKEDIT_DATA: readonly number[] = [
  COMMAND.codeSignature,
  ...[0x1e, 0x26, 0x29, 0x2b, 0x2e, 0x36, 0x8000_0033, 0x8000_0034],
];

/** Returns all offsets at which `wanted` starts. */
function positions(bytes: Uint8Array, wanted: Uint8Array): number[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: number[] = [];
  for (let at = buffer.indexOf(wanted); at >= 0; at = buffer.indexOf(wanted, at + 1)) {
    found.push(at);
  }
  return found;
}
