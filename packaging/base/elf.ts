/**
 * ELF programs made by `deno compile`, which appends its payload after the section headers.
 *
 * @module
 */

/** Start of the payload that `deno compile` appends. */
const PAYLOAD_MARK = "d3n0l4nd";

/** Returns the program without its payload. Throws if the payload is not where it should be. */
export function elfWithoutPayload(program: Uint8Array): Uint8Array {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const sectionHeaders = Number(view.getBigUint64(0x28, true));
  const end = sectionHeaders + view.getUint16(0x3a, true) * view.getUint16(0x3c, true);
  const mark = new TextDecoder().decode(program.subarray(end, end + PAYLOAD_MARK.length));
  if (mark !== PAYLOAD_MARK) throw new Error("no payload after the program's sections");
  return program.subarray(0, end);
}
