/**
 * Symbol versions that an ELF program requires (gABI, and the GNU extension `.gnu.version_r`). The newest
 * one is the oldest C library that the program runs with.
 *
 * @module
 */

const SECTION_TYPE_VERNEED = 0x6fff_fffe;

/** Returns the newest `GLIBC_x.y` that a 64-bit little-endian ELF program needs, such as "2.27". */
export function lowestGlibc(program: Uint8Array): string {
  const versions = neededVersions(program)
    .map((name) => /^GLIBC_(\d+)\.(\d+)/.exec(name))
    .filter((match) => match !== null)
    .map(([, major, minor]) => [Number(major), Number(minor)] as const);
  const newest = versions.toSorted(([a, b], [c, d]) => a - c || b - d).at(-1);
  if (!newest) throw new Error("the program does not require a symbol of glibc");
  return newest.join(".");
}

/** Returns all version names that the program needs of any library. */
function neededVersions(program: Uint8Array): string[] {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const big = (at: number) => Number(view.getBigUint64(at, true));
  const sections = big(0x28);
  const size = view.getUint16(0x3a, true);
  const count = view.getUint16(0x3c, true);
  const sectionAt = (i: number) => {
    const at = sections + i * size;
    return {
      type: view.getUint32(at + 4, true),
      offset: big(at + 24),
      link: view.getUint32(at + 40, true),
      entries: view.getUint32(at + 44, true),
    };
  };
  for (let i = 0; i < count; i++) {
    const section = sectionAt(i);
    if (section.type !== SECTION_TYPE_VERNEED) continue;
    return readNeeds(program, view, section, sectionAt(section.link).offset);
  }
  return [];
}

function readNeeds(
  program: Uint8Array,
  view: DataView,
  { offset, entries }: { offset: number; entries: number },
  strings: number,
): string[] {
  const names: string[] = [];
  let need = offset;
  for (let i = 0; i < entries; i++) {
    let version = need + view.getUint32(need + 8, true);
    for (let j = view.getUint16(need + 2, true); j > 0; j--) {
      names.push(textAt(program, strings + view.getUint32(version + 8, true)));
      version += view.getUint32(version + 12, true);
    }
    need += view.getUint32(need + 12, true);
  }
  return names;
}

function textAt(program: Uint8Array, start: number): string {
  return new TextDecoder().decode(program.subarray(start, program.indexOf(0, start)));
}
