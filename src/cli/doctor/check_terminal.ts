/**
 * Whether there is a terminal to ask for passwords and PINs on.
 *
 * @module
 */
import { type Finding, found } from "./finding.ts";
import type { Inspection } from "./check_context.ts";

/** Checks the controlling terminal. */
export function checkTerminal({ system }: Pick<Inspection, "system">): readonly Finding[] {
  const path = system.platform === "windows" ? "CONIN$" : "/dev/tty";
  try {
    Deno.openSync(path, { read: true, write: system.platform !== "windows" }).close();
    return [found("terminal", "passwords and PINs can be asked for on the terminal")];
  } catch {
    return [
      found(
        "terminal-absent",
        "there is no terminal, as under an SDK or a service: passwords and PINs must come by flag " +
          "or variable",
      ),
    ];
  }
}
