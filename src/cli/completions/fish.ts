/**
 * Completions for fish.
 *
 * @module
 */
import { PROGRAM } from "../program.ts";
import {
  type CommandCompletion,
  type FlagCompletion,
  listCommands,
  listFirstWords,
  listSecondWords,
} from "./words.ts";

/** Returns the script, to source or to put into a completions directory of fish. */
export function formatFishCompletions(): string {
  const commands = listCommands();
  const first = listFirstWords(commands);
  const seconds = listSecondWords(commands);
  return [
    `# fish completion for ${PROGRAM}; load it with: ${PROGRAM} completions fish | source`,
    `complete -c ${PROGRAM} -f`,
    ...first.map(([word, summary]) =>
      `complete -c ${PROGRAM} -n __fish_use_subcommand -a ${word} -d ${quote(summary)}`
    ),
    ...seconds.flatMap(([word, words]) =>
      words.map((second) =>
        `complete -c ${PROGRAM} -n ${
          quote(
            `__fish_seen_subcommand_from ${word}; and not __fish_seen_subcommand_from ${second}`,
          )
        } -a ${second}`
      )
    ),
    `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from help' -a ${
      quote(first.map(([word]) => word).join(" "))
    }`,
    ...commands.flatMap(formatCommand),
    "",
  ].join("\n");
}

function formatCommand({ words, flags, positional }: CommandCompletion): string[] {
  const condition = quote(
    `not __fish_seen_subcommand_from help; and ` +
      words.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and "),
  );
  const begin = `complete -c ${PROGRAM} -n ${condition}`;
  return [
    ...flags.map((flag) => `${begin} ${formatFlagOptions(flag)}`),
    ...(positional.length > 0 ? [`${begin} -a ${quote(positional.join(" "))}`] : []),
  ];
}

function formatFlagOptions({ flag, description, value, choices }: FlagCompletion): string {
  const takes = {
    none: "",
    free: " -x",
    files: " -r -F",
    choices: ` -x -a ${quote(choices.join(" "))}`,
  }[value];
  return `-l ${flag.slice(2)}${takes} -d ${quote(description)}`;
}

function quote(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}
