/**
 * `completions`: prints a shell completion script, made from the flag table.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { formatBashCompletions } from "../completions/bash.ts";
import { formatFishCompletions } from "../completions/fish.ts";
import { formatPowershellCompletions } from "../completions/powershell.ts";
import { formatZshCompletions } from "../completions/zsh.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import type { System } from "../system.ts";

/** Functions that return the script, by shell. */
export const COMPLETIONS: Readonly<Record<string, () => string>> = {
  bash: formatBashCompletions,
  zsh: formatZshCompletions,
  fish: formatFishCompletions,
  powershell: formatPowershellCompletions,
};

/** Prints the script for a shell. */
export function completions(values: FlagValues, system: System): void {
  const script = COMPLETIONS[values.required("shell")];
  if (!script) throw new HelperError("internal", "a shell has no completions");
  system.write(script());
}
