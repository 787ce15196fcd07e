/**
 * Users of this machine. Linux only.
 *
 * @module
 */
import { POSIX_SYSTEMS } from "./system_table.ts";

const SYMBOLS = {
  // struct passwd *getpwnam(const char *name)
  getpwnam: { parameters: ["buffer"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Offset of `pw_uid` in `struct passwd`, after two pointers, bytes. */
const USER_OFFSET = 16;

/** Returns a user's number by name, from the sources that the system uses; undefined if there is none. */
export function findUser(name: string): number | undefined {
  if (name.includes("\0")) return undefined; // the function would read the part before it
  const library = Deno.dlopen(POSIX_SYSTEMS["linux"]?.library ?? "", SYMBOLS);
  try {
    const entry = library.symbols.getpwnam(new TextEncoder().encode(`${name}\0`));
    return entry === null ? undefined : new Deno.UnsafePointerView(entry).getUint32(USER_OFFSET);
  } finally {
    library.close();
  }
}
