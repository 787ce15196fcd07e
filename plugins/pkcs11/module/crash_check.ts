/**
 * Whether a library can be loaded without taking the process with it. Its code runs as soon as it is
 * loaded, so this is tried first in a process that does nothing else.
 *
 * @module
 */
import { withTimeout } from "../../../src/timeout.ts";

/** What happened to the other process; undefined when nothing did, or it could not be tried. */
export type LoadFailure = { readonly signal: string } | { readonly code: number } | "hangs";

/** Programs that do nothing, one of which every system has that can be tried. */
const TRUE_PROGRAMS = ["/usr/bin/true", "/bin/true"];

/**
 * Loads the library at `path` into another process, for at most `limit` milliseconds. Linux only:
 * elsewhere the system lets nobody load a library into its own programs.
 */
export async function tryLoad(
  path: string,
  limit: number,
): Promise<LoadFailure | undefined> {
  // The loader takes blanks and colons for separators: such a path cannot be tried.
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
      const status = await withTimeout(child.status, limit, () => "late" as const);
      if (status === "late") {
        child.kill("SIGKILL");
        return "hangs";
      }
      if (status.signal) return { signal: status.signal };
      return status.code === 0 ? undefined : { code: status.code };
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) return undefined; // no process may be started
    }
  }
  return undefined;
}
