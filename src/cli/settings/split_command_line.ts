/**
 * Splits a `credential_process` line into arguments as AWS SDKs do. botocore uses Python's
 * `shlex.split`, on Windows the rules of the C runtime. The inverse of `shell_quote.ts`. Pure.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { Platform } from "../system.ts";

/** Returns the arguments. Throws `usage` for an unterminated quote. */
export function splitCommandLine(line: string, platform: Platform): string[] {
  return platform === "windows" ? splitForWindows(line) : splitForPosix(line);
}

/** Syntax of `sh`, which SDKs other than botocore use. ~ and # count only at the start of a word. */
const SHELL_SYNTAX = /[$`|&;<>()*?[]|(?<=^|\s)[~#]/;

/** Returns the first character outside single quotes that `sh` may read as its own syntax. */
export function shellSyntaxIn(line: string): string | undefined {
  const rest = line.replaceAll(/'[^']*'/g, "").replaceAll(/\\./gs, "");
  // Between double quotes only $ and ` are special.
  const unquoted = rest.replaceAll(
    /"([^"]*)"/g,
    (_, text: string) => text.replaceAll(/[^$`]/g, ""),
  );
  return SHELL_SYNTAX.exec(unquoted)?.[0];
}

const SPACE = /[ \t\r\n]/;

function splitForPosix(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const character = line.charAt(i);
    if (quote === "" && SPACE.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (quote === "" && /["']/.test(character)) {
      quote = character;
      word ??= "";
    } else if (character === quote) {
      quote = "";
    } else if (character === "\\" && quote !== "'") {
      if (i + 1 === line.length) throw unterminatedError("a backslash at its end");
      const next = line.charAt(++i);
      // Between double quotes a backslash escapes only these two.
      word = (word ?? "") + (quote === "" || /["\\]/.test(next) ? next : `\\${next}`);
    } else {
      word = (word ?? "") + character;
    }
  }
  if (quote !== "") throw unterminatedError(`no closing ${quote}`);
  if (word !== undefined) words.push(word);
  return words;
}

/**
 * Splits by the rules of Windows: 2n backslashes and a quote are n backslashes and a quote. 2n+1 of
 * them and a quote are n backslashes and a literal ".
 */
function splitForWindows(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quoted = false;
  for (const [piece] of line.matchAll(/(\\*)"|\\+|[ \t]+|[^\\" \t]+/g)) {
    if (piece.endsWith('"')) {
      const slashes = piece.length - 1;
      word = (word ?? "") + "\\".repeat(Math.floor(slashes / 2));
      if (slashes % 2 === 1) word += '"';
      else quoted = !quoted;
    } else if (!quoted && /^[ \t]/.test(piece)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + piece;
    }
  }
  if (quoted) throw unterminatedError('no closing "');
  if (word !== undefined) words.push(word);
  return words;
}

function unterminatedError(problem: string): HelperError {
  return new HelperError("usage", `credential_process has ${problem}; correct its quotes`);
}
