/**
 * Completions for fish.
 *
 * @module
 */
import { PROGRAM } from "../program.ts";
import {
  type CommandWords,
  commandWords,
  firstWords,
  type FlagWords,
  secondWords,
} from "./words.ts";

/** The script; it is sourced, or put into a completions directory of fish. */
export function fishCompletions(): string {
  const commands = commandWords();
  const first = firstWords(commands);
  const seconds = secondWords(commands);
  return [
    `# fish completion for ${PROGRAM}; load it with: ${PROGRAM} completions fish | source`,
    `complete -c ${PROGRAM} -f`,
    ...first.map(([word, summary]) =>
      `complete -c ${PROGRAM} -n __fish_use_subcommand -a ${word} -d ${quoted(summary)}`
    ),
    ...seconds.flatMap(([word, words]) =>
      words.map((second) =>
        `complete -c ${PROGRAM} -n ${
          quoted(
            `__fish_seen_subcommand_from ${word}; and not __fish_seen_subcommand_from ${second}`,
          )
        } -a ${second}`
      )
    ),
    `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from help' -a ${
      quoted(first.map(([word]) => word).join(" "))
    }`,
    ...commands.flatMap(commandLines),
    "",
  ].join("\n");
}

function commandLines({ words, flags, argument }: CommandWords): string[] {
  const condition = quoted(
    `not __fish_seen_subcommand_from help; and ` +
      words.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and "),
  );
  const begin = `complete -c ${PROGRAM} -n ${condition}`;
  return [
    ...flags.map((flag) => `${begin} ${flagOptions(flag)}`),
    ...(argument.length > 0 ? [`${begin} -a ${quoted(argument.join(" "))}`] : []),
  ];
}

function flagOptions({ flag, description, value, choices }: FlagWords): string {
  const takes = {
    none: "",
    free: " -x",
    files: " -r -F",
    choices: ` -x -a ${quoted(choices.join(" "))}`,
  }[value];
  return `-l ${flag.slice(2)}${takes} -d ${quoted(description)}`;
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}
