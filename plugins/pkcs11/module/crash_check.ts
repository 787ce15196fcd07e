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
  // Blanks and colons separate paths in LD_PRELOAD, so such a path cannot be tried.
  if (Deno.build.os !== "linux" || /[\s:]/.test(path)) return undefined;
  const others = Deno.env.get("LD_PRELOAD");
  for (const program of TRUE_PROGRAMS) {
    try {
      await using child = new Deno.Command(program, {
        env: { LD_PRELOAD: others ? `${path}:${others}` : path },
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
