/**
 * `completions`: a script that makes a shell complete this program's command lines, from the flag
 * table.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { bashCompletions } from "../completions/bash.ts";
import { fishCompletions } from "../completions/fish.ts";
import { powershellCompletions } from "../completions/powershell.ts";
import { zshCompletions } from "../completions/zsh.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import type { System } from "../system.ts";

/** What makes the script of each shell. */
export const COMPLETIONS: Readonly<Record<string, () => string>> = {
  bash: bashCompletions,
  zsh: zshCompletions,
  fish: fishCompletions,
  powershell: powershellCompletions,
};

/** Prints the script for a shell. */
export function completions(values: FlagValues, system: System): void {
  const script = COMPLETIONS[values.required("shell")];
  if (!script) throw new HelperError("internal", "a shell has no completions");
  system.write(script());
}
