/**
 * Finds the command that a command line names, and suggestions for an unknown name.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import {
  ALIASES,
  type CommandName,
  commandOf,
  COMMANDS,
  commandsOfGroup,
  FLAGS,
  isCommandName,
  isFlagName,
} from "./flags.ts";
import { PROGRAM } from "../program.ts";

/** Returns the advice to read a command's help, or the program's. */
export function seeHelp(command?: string): string {
  return `see ${PROGRAM}${command === undefined ? "" : ` ${command}`} --help`;
}

/**
 * Finds the command, of one word or two, at the beginning of `words`, and returns the rest.
 * With `maybeSecret`, a word that is not a command is not shown.
 *
 * Throws `usage`.
 */
export async function findCommand(
  words: readonly string[],
  maybeSecret = false,
): Promise<{ command: CommandName; rest: readonly string[] }> {
  const [first = "", second] = words;
  const group = commandsOfGroup(first);
  if (group.length > 0) {
    if (second === undefined || second.startsWith("-")) {
      throw new HelperError(
        "usage",
        `${first} needs a subcommand: ${
          group.map((name) => name.slice(first.length + 1)).join(", ")
        }; ${seeHelp(first)}`,
      );
    }
    const command = `${first} ${second}`;
    if (!isCommandName(command)) throw await unknownCommandError(command, group);
    return { command, rest: words.slice(2) };
  }
  const command = ALIASES[first] ?? first;
  if (isCommandName(command) && !command.includes(" ")) return { command, rest: words.slice(1) };
  if (first.startsWith("-")) throw await unknownFlagError(first);
  throw mistypedFlagError(first) ??
    (maybeSecret
      ? new HelperError("usage", `unexpected argument before the command; ${seeHelp()}`)
      : await unknownCommandError(first, [...Object.keys(COMMANDS), ...Object.keys(ALIASES)]));
}

async function unknownCommandError(
  written: string,
  known: readonly string[],
): Promise<HelperError> {
  const closest = await findClosestName(written, known);
  // A command has no digits; a word with one may be a password.
  const name = closest === undefined && /[0-9]/.test(written) ? "" : quotedName(written);
  return unknownNameError(
    `unknown command${name}`,
    closest === undefined ? [] : [ALIASES[closest] ?? closest],
  );
}

function unknownNameError(
  problem: string,
  meant: readonly string[],
  command?: CommandName,
): HelperError {
  const help = seeHelp(command);
  return new HelperError(
    "usage",
    meant.length === 0
      ? `${problem}; ${help}`
      : `${problem}; did you mean ${meant.join(" or ")}? ${help.replace(/^s/, "S")}`,
  );
}

/**
 * Returns the `usage` error for a word that begins with a dash and is not a flag of `command`. The
 * part after an equals sign or a space is not shown, because it may be a secret.
 */
export async function unknownFlagError(word: string, command?: CommandName): Promise<HelperError> {
  const refuse = (message: string, meant: readonly string[] = []) =>
    unknownNameError(message, meant.map((flag) => `--${flag}`), command);
  const written = word.split(/[=\s]/)[0] ?? "";
  const name = written.replace(/^-+/, "").toLowerCase().replaceAll("_", "-");
  if (isFlagName(name) && /^[^=]*\s/.test(word)) {
    return refuse(
      `--${name} and its value are one argument; write two, without quotes around both`,
    );
  }
  if (isFlagName(name) && written === `-${name}`) {
    return refuse(`"${written}" has one dash; write --${name}`);
  }
  const flags: readonly string[] = command ? commandOf(command).flags : Object.keys(FLAGS);
  if (command && isFlagName(name) && !flags.includes(name)) {
    const owners = Object.keys(COMMANDS).filter(isCommandName)
      .filter((other) => commandOf(other).flags.includes(name));
    return refuse(`--${name} is not a flag of ${command}, but of ${enumerate(owners)}`);
  }
  const unknown = `unknown flag${quotedName(written)}`;
  return refuse(unknown, await similarFlags(name, flags));
}

/** Most flags that a message suggests. */
const MAX_SUGGESTED = 3;

/** Returns the flags that an unknown one may mean: the same, longer ones, or the one with the closest name. */
export async function similarFlags(name: string, flags: readonly string[]): Promise<string[]> {
  if (flags.includes(name)) return [name];
  const longer = name.length < 3 ? [] : flags.filter((flag) => flag.startsWith(name));
  const ending = name.length < 3 ? [] : flags.filter((flag) => flag.endsWith(`-${name}`));
  for (const found of [ending, longer]) {
    if (found.length > 0 && found.length <= MAX_SUGGESTED) return found;
  }
  const [closest = await findClosestName(name, flags)] = longer;
  return closest === undefined ? [] : [closest];
}

/** Unicode hyphens and dashes, which word processors write for `--`. */
const DASHES = /^[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]/;

/** Returns the `usage` error for a word that was copied or wrapped wrongly, or undefined. */
export function mistypedFlagError(word: string, command?: CommandName): HelperError | undefined {
  if (DASHES.test(word)) {
    const name = /^[^a-z]+([a-z0-9-]+)/.exec(word)?.[1] ?? "";
    const meant = isFlagName(name) ? ` --${name}` : "";
    return new HelperError(
      "usage",
      `a flag begins with a typographic dash; write${meant || " --"} with two hyphens; ` +
        seeHelp(command),
    );
  }
  // Python's SDKs put the next line's text after the line break.
  if (/^(?:[\s\\^`]+$|[\\^`]?\r?\n)/.test(word)) {
    return new HelperError(
      "usage",
      "a line continuation (\\, ^ or `) is an argument; write the command on one line, without it; " +
        seeHelp(command),
    );
  }
  return undefined;
}

function enumerate(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  if (names.length <= 3) return [names.slice(0, -1).join(", "), last].filter(Boolean).join(" and ");
  return `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}

/** Returns the known name closest to `written` if both have the same first letters. */
async function findClosestName(
  written: string,
  known: readonly string[],
): Promise<string | undefined> {
  if (known.length === 0) return undefined;
  const { closestString } = await import("@std/text/closest-string");
  const closest = closestString(written, known);
  return commonPrefixLength(closest, written) >= 3 ? closest : undefined;
}

/** Returns ` "name"` for a message, or an empty string for text that cannot be a name. */
function quotedName(written: string): string {
  return /^(?=.{1,40}$)-{0,2}[a-z0-9]+([ _-][a-z0-9]+)*$/.test(written) ? ` "${written}"` : "";
}

/** Returns the length of the common prefix. A suggestion with fewer than three letters misleads. */
function commonPrefixLength(left: string, right: string): number {
  let length = 0;
  while (length < left.length && left[length] === right[length]) length++;
  return length;
}
