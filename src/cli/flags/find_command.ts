/**
 * Finds the command that a command line names, and what was probably meant by a name that is not
 * known.
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

/** Returns the advice to read a command's own help, or the program's. */
export function seeHelp(command?: string): string {
  return `see ${PROGRAM}${command === undefined ? "" : ` ${command}`} --help`;
}

/**
 * Finds the command of one word or two that the words begin with, and returns what follows it.
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
        `${first} is the beginning of a command: ${group.join(", ")}; ${seeHelp(first)}`,
      );
    }
    const command = `${first} ${second}`;
    if (!isCommandName(command)) throw await unknownCommand(command, group);
    return { command, rest: words.slice(2) };
  }
  const command = ALIASES[first] ?? first;
  if (isCommandName(command) && !command.includes(" ")) return { command, rest: words.slice(1) };
  if (first.startsWith("-")) throw await unknownFlag(first);
  throw mistypedFlag(first) ??
    (maybeSecret
      ? new HelperError("usage", `a word before the command is unexpected; ${seeHelp()}`)
      : await unknownCommand(first, [...Object.keys(COMMANDS), ...Object.keys(ALIASES)]));
}

async function unknownCommand(written: string, known: readonly string[]): Promise<HelperError> {
  const closest = await closestName(written, known);
  return unknownName(
    `unknown command${nameShown(written)}`,
    closest === undefined ? [] : [ALIASES[closest] ?? closest],
  );
}

function unknownName(
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
 * Returns the `usage` error for a word that begins with a dash and is not a flag of `command`. What
 * follows an equals sign is not shown, as it may be a secret.
 */
export async function unknownFlag(word: string, command?: CommandName): Promise<HelperError> {
  const refuse = (message: string, meant: readonly string[] = []) =>
    unknownName(message, meant.map((flag) => `--${flag}`), command);
  const written = word.split("=")[0] ?? "";
  const name = written.replace(/^-+/, "").toLowerCase().replaceAll("_", "-");
  if (isFlagName(name) && written === `-${name}`) {
    return refuse(`"${written}" has one dash; write --${name}`);
  }
  const flags: readonly string[] = command ? commandOf(command).flags : Object.keys(FLAGS);
  if (command && isFlagName(name) && !flags.includes(name)) {
    const owners = Object.keys(COMMANDS).filter(isCommandName)
      .filter((other) => commandOf(other).flags.includes(name));
    return refuse(`--${name} is not a flag of ${command}, but of ${enumerate(owners)}`);
  }
  const unknown = `unknown flag${nameShown(written)}`;
  if (flags.includes(name)) return refuse(unknown, [name]);
  const longer = name.length < 3 ? [] : flags.filter((flag) => flag.startsWith(name));
  const [closest = await closestName(name, flags)] = longer;
  if (closest === undefined) return refuse(unknown);
  return refuse(unknown, longer.length > 1 && longer.length <= 3 ? longer : [closest]);
}

/** Hyphens and dashes of Unicode, which word processors put in the place of `--`. */
const DASHES = /^[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]/;

/** Returns the `usage` error for a word that was copied or wrapped wrongly; undefined for others. */
export function mistypedFlag(word: string, command?: CommandName): HelperError | undefined {
  if (DASHES.test(word)) {
    const name = /^[^a-z]+([a-z0-9-]+)/.exec(word)?.[1] ?? "";
    const meant = isFlagName(name) ? ` --${name}` : "";
    return new HelperError(
      "usage",
      `a flag begins with a typographic dash; write${meant || " --"} with two hyphens; ` +
        seeHelp(command),
    );
  }
  if (/^[\s\\^`]+$/.test(word)) {
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

/** Returns the known name that is nearest to `written`, if they begin alike. */
async function closestName(written: string, known: readonly string[]): Promise<string | undefined> {
  if (known.length === 0) return undefined;
  const { closestString } = await import("@std/text/closest-string");
  const closest = closestString(written, known);
  return sharedStart(closest, written) >= 3 ? closest : undefined;
}

/** Returns ` "name"` for a message, or nothing for text that is not like a name. */
function nameShown(written: string): string {
  return /^(?=.{1,40}$)-{0,2}[a-z0-9]+([ _-][a-z0-9]+)*$/.test(written) ? ` "${written}"` : "";
}

/** Counts the letters that both begin with. A suggestion with fewer than three misleads. */
function sharedStart(left: string, right: string): number {
  let length = 0;
  while (length < left.length && left[length] === right[length]) length++;
  return length;
}
