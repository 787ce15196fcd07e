/**
 * Commands and flags for completion scripts, from the flag table.
 *
 * @module
 */
import { type CommandName, commandOf, COMMANDS, type FlagName, flagOf } from "../flags/flags.ts";

/** Kind of completion for a flag's value. */
export type ValueKind = "none" | "files" | "choices" | "free";

/** Completion of a flag. */
export interface FlagCompletion {
  readonly flag: string;
  readonly description: string;
  readonly value: ValueKind;
  /** The values if `value` is "choices". */
  readonly choices: readonly string[];
}

/** Completion of a command. */
export interface CommandCompletion {
  /** One word, or two. */
  readonly words: readonly string[];
  readonly summary: string;
  readonly flags: readonly FlagCompletion[];
  /** Values of the positional argument. */
  readonly positional: readonly string[];
}

/** Returns every command, in the order of the table. */
export function listCommands(): CommandCompletion[] {
  return (Object.keys(COMMANDS) as CommandName[]).map((name) => {
    const { summary, flags, positional } = commandOf(name);
    return {
      words: name.split(" "),
      summary,
      flags: [...flags.map((flag) => describeFlag(flag, name)), HELP],
      positional: positional ? flagOf(positional).choices ?? [] : [],
    };
  });
}

const HELP: FlagCompletion = {
  flag: "--help",
  description: "show help",
  value: "none",
  choices: [],
};

/** Returns the first words of command lines, each once, with a summary. */
export function listFirstWords(
  commands: readonly CommandCompletion[],
): [word: string, summary: string][] {
  const known = new Map<string, string>();
  for (const { words: [word = "", ...more], summary } of commands) {
    known.set(word, more.length === 0 ? summary : known.get(word) ?? `${word} …: ${summary}`);
  }
  return [...known, ["help", "show the flags of a command"]];
}

/** Returns the second words of two-word commands, by their first word. */
export function listSecondWords(
  commands: readonly CommandCompletion[],
): [first: string, second: string[]][] {
  const known = new Map<string, string[]>();
  for (const { words: [first = "", second] } of commands) {
    if (second !== undefined) known.set(first, [...known.get(first) ?? [], second]);
  }
  return [...known];
}

function describeFlag(name: FlagName, command: CommandName): FlagCompletion {
  const { kind, value, choices, description } = flagOf(name, command);
  return {
    flag: `--${name}`,
    description,
    value: kind === "switch"
      ? "none"
      : choices
      ? "choices"
      : value?.startsWith("PATH")
      ? "files"
      : "free",
    choices: choices ?? [],
  };
}
