/**
 * ELF programs made by `deno compile`, which appends its payload after the section headers.
 *
 * @module
 */

/** Start of the payload that `deno compile` appends. */
const PAYLOAD_MARK = "d3n0l4nd";
/** Bytes of the payload's length, the last ones of the program. The length includes them. */
const LENGTH_BYTES = 8;

/** Returns the program without its payload. Throws if there is not exactly one after its sections. */
export function elfWithoutPayload(program: Uint8Array): Uint8Array {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const sectionHeaders = Number(view.getBigUint64(0x28, true));
  const end = sectionHeaders + view.getUint16(0x3a, true) * view.getUint16(0x3c, true);
  const mark = new TextDecoder().decode(program.subarray(end, end + PAYLOAD_MARK.length));
  if (mark !== PAYLOAD_MARK) throw new Error("no payload after the program's sections");
  const length = Number(view.getBigUint64(program.length - LENGTH_BYTES, true));
  if (end + length !== program.length) {
    throw new Error("the program has more than one payload after its sections");
  }
  return program.subarray(0, end);
}
