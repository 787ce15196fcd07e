/**
 * Completions for zsh: a `#compdef` function.
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

/** Returns the script, to source or to put into `fpath` as `_aws_signing_helper`. */
export function formatZshCompletions(): string {
  const commands = listCommands();
  return `#compdef ${PROGRAM}
# zsh completion for ${PROGRAM}; put it into a directory of $fpath as _${PROGRAM}

_${PROGRAM}() {
  local -a commands
  local command context state state_descr line
  typeset -A opt_args
  commands=(
${listFirstWords(commands).map(([word, summary]) => `    ${formatEntry(word, summary)}`).join("\n")}
  )
  if (( CURRENT == 2 )) || [[ CURRENT -eq 3 && $words[2] == help ]]; then
    _describe -t commands command commands
    return
  fi
  command=$words[2]
  shift words
  (( CURRENT-- ))
${
    listSecondWords(commands).map(([word, seconds]) =>
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
${commands.map(formatCommandCase).join("\n")}
  esac
}

if [[ $funcstack[1] == _${PROGRAM} ]]; then
  _${PROGRAM} "$@"
else
  compdef _${PROGRAM} ${PROGRAM}
fi
`;
}

function formatCommandCase({ words, flags, positional }: CommandCompletion): string {
  const specs = [
    ...flags.map(formatFlagSpec),
    ...(positional.length > 0 ? [`'1:argument:(${positional.join(" ")})'`] : []),
  ];
  return `    "${words.join(" ")}")
      _arguments -S : \\
${specs.map((spec) => `        ${spec}`).join(" \\\n")}
      ;;`;
}

function formatFlagSpec({ flag, description, value, choices }: FlagCompletion): string {
  const text = escapeQuotes(description.replace(/[[\]:\\]/g, "\\$&"));
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

function formatEntry(word: string, summary: string): string {
  return `'${word}:${escapeQuotes(summary.replace(/[:\\]/g, "\\$&"))}'`;
}

function escapeQuotes(text: string): string {
  return text.replaceAll("'", "'\\''");
}
