/**
 * Reads the archive of a base binary from Deno's download host.
 *
 * @module
 */

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END_RECORD = 0x06054b50;
const END_RECORD_BYTES = 22;
const DEFLATED = 8;

/** Returns the only file of a ZIP archive. Throws for other archives. */
export async function onlyFileOf(archive: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  let end = archive.length - END_RECORD_BYTES;
  while (end > 0 && view.getUint32(end, true) !== END_RECORD) end -= 1;
  const refuse = () => new Error("the archive of the base binary is not a ZIP file with one file");
  if (end <= 0 || view.getUint16(end + 10, true) !== 1) throw refuse();
  const central = view.getUint32(end + 16, true);
  if (view.getUint32(central, true) !== CENTRAL_HEADER) throw refuse();
  const [method, size] = [view.getUint16(central + 10, true), view.getUint32(central + 20, true)];
  const local = view.getUint32(central + 42, true);
  if (view.getUint32(local, true) !== LOCAL_HEADER) throw refuse();
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  const stored = archive.subarray(start, start + size);
  if (method !== DEFLATED) return stored;
  const inflated = new Blob([stored]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}
