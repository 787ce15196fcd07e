/**
 * Quotes a command line for `credential_process`: botocore splits the value itself, most other SDKs
 * pass it to the system's shell. Pure.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import type { Platform } from "./system.ts";

/** Arguments that need no quotes. */
const PLAIN = /^[\w@+=:,./-]+$/;
const PLAIN_ON_WINDOWS = /^[\w@+=:,./\\-]+$/;

/**
 * Returns the arguments as one line that splits into the same arguments. Throws `usage` for an
 * argument that a configuration file cannot contain. It is not shown, because it may be a secret.
 */
export function quoteCommandLine(args: readonly string[], platform: Platform): string {
  const quote = platform === "windows" ? quoteForWindows : quoteForShell;
  return args.map(quote).join(" ");
}

/** Quotes for sh and Python's `shlex`: every character is literal between single quotes. */
function quoteForShell(argument: string): string {
  refuse(argument, CONTROL, "a line end or another control character");
  if (PLAIN.test(argument)) return argument;
  return `'${argument.replaceAll("'", "'\\''")}'`
    // Several SDKs read a # or ; after a space as a comment. Empty quotes between them change
    // nothing for the shell.
    .replaceAll(/(\s)(?=[#;])/g, "$1''");
}

/** Quotes for `CommandLineToArgvW` and cmd.exe, which expands %NAME% even in quotes. */
function quoteForWindows(argument: string): string {
  refuse(argument, CONTROL, "a line end or another control character");
  refuse(argument, /["%]/, 'a " or %, which cmd.exe changes');
  refuse(argument, /\s[#;]/, "a # or ; after a space, which begins a comment");
  if (PLAIN_ON_WINDOWS.test(argument)) return argument;
  // A backslash before the closing quote would escape it.
  return `"${argument.replace(/\\+$/, (slashes) => slashes + slashes)}"`;
}

// deno-lint-ignore no-control-regex -- no quoting keeps a line end or control character in one INI line
export const CONTROL = /[\x00-\x1f\x7f\u2028\u2029]/;

function refuse(argument: string, pattern: RegExp, label: string): void {
  if (!pattern.test(argument)) return;
  throw new HelperError(
    "usage",
    `a value on the command line contains ${label}; rename the file or remove the character`,
  );
}
