/**
 * Completions for zsh: a `#compdef` function.
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

/** The script; it is put into a directory of `fpath` as `_aws_signing_helper`, or sourced. */
export function zshCompletions(): string {
  const commands = commandWords();
  return `#compdef ${PROGRAM}
# zsh completion for ${PROGRAM}; put it into a directory of $fpath as _${PROGRAM}

_${PROGRAM}() {
  local -a commands
  local command context state state_descr line
  typeset -A opt_args
  commands=(
${firstWords(commands).map(([word, summary]) => `    ${described(word, summary)}`).join("\n")}
  )
  if (( CURRENT == 2 )) || [[ CURRENT -eq 3 && $words[2] == help ]]; then
    _describe -t commands command commands
    return
  fi
  command=$words[2]
  shift words
  (( CURRENT-- ))
${
    secondWords(commands).map(([word, seconds]) =>
      `  if [[ $command == ${word} ]]; then
    if (( CURRENT == 2 )); then
      compadd -- ${seconds.join(" ")}
      return
    fi
    command="$command $words[2]"
    shift words
    (( CURRENT-- ))
  fi
`
    ).join("")
  }  case $command in
${commands.map(commandCase).join("\n")}
  esac
}

if [[ $funcstack[1] == _${PROGRAM} ]]; then
  _${PROGRAM} "$@"
else
  compdef _${PROGRAM} ${PROGRAM}
fi
`;
}

function commandCase({ words, flags, argument }: CommandWords): string {
  const specs = [
    ...flags.map(flagSpec),
    ...(argument.length > 0 ? [`'1:argument:(${argument.join(" ")})'`] : []),
  ];
  return `    "${words.join(" ")}")
      _arguments -S : \\
${specs.map((spec) => `        ${spec}`).join(" \\\n")}
      ;;`;
}

function flagSpec({ flag, description, value, choices }: FlagWords): string {
  const text = quoted(description.replace(/[[\]:\\]/g, "\\$&"));
  switch (value) {
    case "none":
      return `'${flag}[${text}]'`;
    case "files":
      return `'${flag}=[${text}]:file:_files'`;
    case "choices":
      return `'${flag}=[${text}]:value:(${choices.join(" ")})'`;
    case "free":
      return `'${flag}=[${text}]:value: '`;
  }
}

function described(word: string, summary: string): string {
  return `'${word}:${quoted(summary.replace(/[:\\]/g, "\\$&"))}'`;
}

function quoted(text: string): string {
  return text.replaceAll("'", "'\\''");
}
