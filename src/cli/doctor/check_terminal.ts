/**
 * Checks for a terminal to prompt for passwords and PINs.
 *
 * @module
 */
import { type Finding, finding } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";

/** Checks the controlling terminal. */
export function checkTerminal({ system }: Pick<CheckContext, "system">): readonly Finding[] {
  const path = system.platform === "windows" ? "CONIN$" : "/dev/tty";
  try {
    Deno.openSync(path, { read: true, write: system.platform !== "windows" }).close();
    return [finding("terminal", "the terminal can prompt for passwords and PINs")];
  } catch {
    return [
      finding(
        "terminal-absent",
        "there is no terminal to prompt for passwords and PINs; set them by flag or variable",
      ),
    ];
  }
}
