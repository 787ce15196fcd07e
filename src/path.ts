/**
 * Paths of the operating system.
 *
 * `@std/path` itself finds the system by Node's global, which Deno 2.9 takes 20 ms to load. Its
 * parts for one system do not.
 *
 * @module
 */
import * as posix from "@std/path/posix";
import * as windows from "@std/path/windows";

const isWindows = Deno.build.os === "windows";

// One at a time, so that the bundle has only these.
export const basename = isWindows ? windows.basename : posix.basename;
export const dirname = isWindows ? windows.dirname : posix.dirname;
export const isAbsolute = isWindows ? windows.isAbsolute : posix.isAbsolute;
export const join = isWindows ? windows.join : posix.join;
export const resolve = isWindows ? windows.resolve : posix.resolve;
