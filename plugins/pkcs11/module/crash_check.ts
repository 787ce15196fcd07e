/**
 * Loads a library in a child process first, to see if it crashes. A library's code runs as soon as it
 * is loaded.
 *
 * @module
 */
import { withTimeout } from "../../../src/timeout.ts";

/** Failure of the child process. */
export type LoadFailure = { readonly signal: string } | { readonly code: number } | "hangs";

/** Paths of `true(1)`, the program that the library is preloaded into. */
const TRUE_PROGRAMS = ["/usr/bin/true", "/bin/true"];

/**
 * Loads the library at `path` in a child process, for at most `timeout` milliseconds. Returns
 * undefined if that works or cannot be tried. Linux only: other systems do not allow preloading into
 * their programs.
 */
export async function tryLoad(
  path: string,
  timeout: number,
): Promise<LoadFailure | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  const module = preloadOf(path);
  if (!module) return undefined;
  for (const program of TRUE_PROGRAMS) {
    try {
      const others = Deno.env.get("LD_PRELOAD");
      await using child = new Deno.Command(program, {
        env: { LD_PRELOAD: others ? `${module.name}:${others}` : module.name },
        ...(module.folder === undefined ? {} : { cwd: module.folder }),
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      const status = await withTimeout(child.status, timeout, () => "late" as const);
      if (status === "late") {
        child.kill("SIGKILL");
        return "hangs";
      }
      if (status.signal) return { signal: status.signal };
      return status.code === 0 ? undefined : { code: status.code };
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) return undefined; // processes cannot be started here
    }
  }
  return undefined;
}

/**
 * Returns a library's name for LD_PRELOAD, in which blanks and colons separate names. If its folder has
 * some, the name is relative to the folder. Returns undefined if its own name has some.
 */
function preloadOf(path: string): { readonly name: string; readonly folder?: string } | undefined {
  if (!/[\s:]/.test(path)) return { name: path };
  const end = path.lastIndexOf("/") + 1;
  const name = `./${path.slice(end)}`;
  return end === 0 || /[\s:]/.test(name) ? undefined : { name, folder: path.slice(0, end) };
}
