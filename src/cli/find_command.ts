/**
 * Which command the words of a command line name, and what was meant by words that name none.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import { type CommandName, COMMANDS, commandsOfGroup, isCommandName } from "./flags.ts";
import { PROGRAM } from "./program.ts";

/** The command of one word or two that the words begin with, and what follows it. Throws `usage`. */
export async function findCommand(
  words: readonly string[],
): Promise<{ command: CommandName; rest: readonly string[] }> {
  const [first = "", second] = words;
  const group = commandsOfGroup(first);
  if (group.length > 0) {
    if (second === undefined || second.startsWith("-")) {
      throw new HelperError(
        "usage",
        `${first} is the beginning of a command: ${group.join(", ")}; see ${PROGRAM} --help`,
      );
    }
    const command = `${first} ${second}`;
    if (!isCommandName(command)) throw await unknown("command", command, group);
    return { command, rest: words.slice(2) };
  }
  const command = first === "--version" ? "version" : first;
  if (!isCommandName(command) || command.includes(" ")) {
    throw await unknown(first.startsWith("-") ? "flag" : "command", first, Object.keys(COMMANDS));
  }
  return { command, rest: words.slice(1) };
}

/** The `usage` error for a name that is not known, with the name that was probably meant. */
export async function unknown(
  what: "command" | "flag",
  written: string,
  known: readonly string[],
): Promise<HelperError> {
  const { closestString } = await import("@std/text/closest-string");
  const name = what === "flag" ? written.split("=")[0] ?? "" : written;
  const closest = known.length > 0 ? closestString(name, known) : "";
  const near = closest !== "" && sharedStart(closest, name) >= 3;
  return new HelperError(
    "usage",
    `unknown ${what} "${name}"; ${near ? `did you mean ${closest}? See` : "see"} ${PROGRAM} --help`,
  );
}

/** How many letters both begin with, dashes aside: a suggestion with fewer than three misleads. */
function sharedStart(a: string, b: string): number {
  const [left, right] = [a.replace(/^-+/, ""), b.replace(/^-+/, "")];
  let length = 0;
  while (length < left.length && left[length] === right[length]) length++;
  return length;
}
