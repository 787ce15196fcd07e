/**
 * Checks of a released binary: the system's format, its processor, and the bundle as the only
 * payload. The base binary is the pinned one, whatever variables are set.
 *
 * @module
 */
import { compareBase } from "../base/compare.ts";
import { checkPayload, MAGIC } from "../base/payload.ts";
import type { Target } from "../targets.ts";

/** Position and values of the processor field in each format. */
const PROCESSORS: Readonly<
  Record<Target["format"], { at: (view: DataView) => number; codes: Record<string, number> }>
> = {
  // e_machine
  "elf": { at: (view) => view.getUint16(18, true), codes: { x64: 62, arm64: 183 } },
  // Machine, after the signature that e_lfanew points to
  "pe": {
    at: (view) => view.getUint16(view.getUint32(0x3c, true) + 4, true),
    codes: { x64: 0x8664, arm64: 0xaa64 },
  },
  // cputype
  "mach-o": {
    at: (view) => view.getUint32(4, true),
    codes: { x64: 0x0100_0007, arm64: 0x0100_000c },
  },
};

/** Throws an Error with the file's name if it does not match the target. */
export async function checkBinary(
  file: string,
  binary: Uint8Array,
  bundle: Uint8Array,
  { format, processor, deno }: Target,
): Promise<void> {
  const start = Array.from(binary.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0"));
  if (!start.join("").startsWith(MAGIC[format])) throw new Error(`${file} is not ${format}`);
  const { at, codes } = PROCESSORS[format];
  const view = new DataView(binary.buffer, binary.byteOffset, binary.byteLength);
  if (at(view) !== codes[processor]) throw new Error(`${file} is not for ${processor}`);
  checkPayload(binary, bundle);
  try {
    await compareBase(binary, deno);
  } catch (thrown) {
    throw new Error(`${file}: ${thrown instanceof Error ? thrown.message : thrown}`);
  }
}
