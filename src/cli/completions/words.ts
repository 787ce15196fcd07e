/**
 * What can follow what on a command line: the flag table as completions need it.
 *
 * @module
 */
import { type CommandName, commandOf, COMMANDS, type FlagName, flagOf } from "../flags/flags.ts";

/** What completes the value of a flag. */
export type ValueKind = "none" | "files" | "choices" | "free";

/** A flag as it is completed. */
export interface FlagWords {
  readonly flag: string;
  readonly description: string;
  readonly value: ValueKind;
  /** The values, where `value` is "choices". */
  readonly choices: readonly string[];
}

/** A command as it is completed. */
export interface CommandWords {
  /** One word, or two. */
  readonly words: readonly string[];
  readonly summary: string;
  readonly flags: readonly FlagWords[];
  /** What may stand alone behind the command. */
  readonly argument: readonly string[];
}

/** Every command, in the order of the table. */
export function commandWords(): CommandWords[] {
  return (Object.keys(COMMANDS) as CommandName[]).map((name) => {
    const { summary, flags, argument } = commandOf(name);
    return {
      words: name.split(" "),
      summary,
      flags: [...flags.map((flag) => flagWords(flag, name)), HELP],
      argument: argument ? flagOf(argument).choices ?? [] : [],
    };
  });
}

const HELP: FlagWords = { flag: "--help", description: "show help", value: "none", choices: [] };

/** The first words of command lines, each once, with a summary. */
export function firstWords(commands: readonly CommandWords[]): [word: string, summary: string][] {
  const known = new Map<string, string>();
  for (const { words: [word = "", ...more], summary } of commands) {
    known.set(word, more.length === 0 ? summary : known.get(word) ?? `${word} …: ${summary}`);
  }
  return [...known, ["help", "show the flags of a command"]];
}

/** The second words of the commands of two words, by the first. */
export function secondWords(
  commands: readonly CommandWords[],
): [first: string, second: string[]][] {
  const known = new Map<string, string[]>();
  for (const { words: [first = "", second] } of commands) {
    if (second !== undefined) known.set(first, [...known.get(first) ?? [], second]);
  }
  return [...known];
}

function flagWords(name: FlagName, command: CommandName): FlagWords {
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
