/**
 * Writing a command line that other programs take apart: the value of `credential_process`, which
 * SDKs split by themselves (botocore) or hand to the system's shell (most others). Pure.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import type { Platform } from "./system.ts";

/** What needs no quotes, on every system. */
const PLAIN = /^[\w@+=:,./-]+$/;
const PLAIN_ON_WINDOWS = /^[\w@+=:,./\\-]+$/;

/**
 * The words as one line that gives them back. Throws `usage` for a word that cannot stand in a
 * configuration file of this system; the word is not shown, as it may be anything.
 */
export function commandLine(words: readonly string[], platform: Platform): string {
  const quote = platform === "windows" ? quoteForWindows : quoteForShell;
  return words.map(quote).join(" ");
}

/** For sh and Python's `shlex`: between single quotes nothing has a meaning. */
function quoteForShell(word: string): string {
  refuse(word, CONTROL, "a line end or another control character");
  if (PLAIN.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`
    // To several SDKs, a # or ; behind a space begins a comment: quotes between them do not change
    // what the shell sees.
    .replaceAll(/(\s)(?=[#;])/g, "$1''");
}

/** For `CommandLineToArgvW`, with cmd.exe before it, which expands %NAME% in quotes too. */
function quoteForWindows(word: string): string {
  refuse(word, CONTROL, "a line end or another control character");
  refuse(word, /["%]/, 'a " or %, which cmd.exe would change');
  refuse(word, /\s[#;]/, "a # or ; behind a space, which begins a comment");
  if (PLAIN_ON_WINDOWS.test(word)) return word;
  // A backslash before the last quote would make it a quote that belongs to the word.
  return `"${word.replace(/\\+$/, (slashes) => slashes + slashes)}"`;
}

// deno-lint-ignore no-control-regex -- they are what is looked for
const CONTROL = /[\x00-\x1f\x7f\u2028\u2029]/;

function refuse(word: string, pattern: RegExp, what: string): void {
  if (!pattern.test(word)) return;
  throw new HelperError(
    "usage",
    `a value of the command line holds ${what}, and cannot stand in a configuration file; ` +
      "rename the file or leave the character out",
  );
}
