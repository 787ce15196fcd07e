/**
 * PE programs (Windows) made by `deno compile`, which adds a last section of resources with
 * its payload (PE Format, Microsoft).
 *
 * @module
 */

const SECTION_HEADER_BYTES = 40;

/** Offsets in the optional header of a 64-bit program. */
const OPTIONAL = { sizeOfImage: 56, resourceDirectory: 128 };

/**
 * Returns the program without its payload. Throws if its resources are not the last section, or if bytes
 * follow it.
 */
export function peWithoutPayload(program: Uint8Array): Uint8Array {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const header = view.getUint32(0x3c, true);
  const sections = view.getUint16(header + 6, true);
  const optional = header + 24;
  const last = optional + view.getUint16(header + 20, true) + (sections - 1) * SECTION_HEADER_BYTES;
  const section = {
    address: view.getUint32(last + 12, true),
    fileSize: view.getUint32(last + 16, true),
    fileOffset: view.getUint32(last + 20, true),
  };
  if (view.getUint32(optional + OPTIONAL.resourceDirectory, true) !== section.address) {
    throw new Error("the last section of the program does not contain its resources");
  }
  if (program.length !== section.fileOffset + section.fileSize) {
    throw new Error("the program does not end with its last section");
  }
  const base = program.slice(0, section.fileOffset);
  const write = new DataView(base.buffer);
  write.setUint16(header + 6, sections - 1, true);
  base.fill(0, last, last + SECTION_HEADER_BYTES);
  base.fill(0, optional + OPTIONAL.resourceDirectory, optional + OPTIONAL.resourceDirectory + 8);
  write.setUint32(optional + OPTIONAL.sizeOfImage, section.address, true);
  // SizeOfInitializedData stays: `deno compile` does not change it.
  return base;
}
