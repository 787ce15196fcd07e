/**
 * Completions for bash (3.2 and later), without the bash-completion package.
 *
 * @module
 */
import { PROGRAM } from "../program.ts";
import { type CommandCompletion, listCommands, listFirstWords, listSecondWords } from "./words.ts";

/** Returns the script, to source or to install for bash-completion. */
export function formatBashCompletions(): string {
  const commands = listCommands();
  const first = listFirstWords(commands).map(([word]) => word);
  return `# bash completion for ${PROGRAM}; load it with: source <(${PROGRAM} completions bash)
_${PROGRAM}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="" command="\${COMP_WORDS[1]}"
  local flags="" argument=""
  # Bash splits --name=value into three words.
  if [ "$current" = "=" ]; then
    current=""
    previous="\${COMP_WORDS[COMP_CWORD-1]}"
  elif [ "$COMP_CWORD" -gt 1 ]; then
    previous="\${COMP_WORDS[COMP_CWORD-1]}"
    [ "$previous" = "=" ] && previous="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$command" = "help" ]; }; then
    COMPREPLY=($(compgen -W "${first.join(" ")} --help --version" -- "$current"))
    return
  fi
${
    listSecondWords(commands).map(([word, seconds]) =>
      `  if [ "$command" = "${word}" ]; then
    if [ "$COMP_CWORD" -eq 2 ]; then
      COMPREPLY=($(compgen -W "${seconds.join(" ")}" -- "$current"))
      return
    fi
    command="$command \${COMP_WORDS[2]}"
  fi
`
    ).join("")
  }  case "$command" in
${commands.map(formatCommandCase).join("\n")}
    *) return ;;
  esac
  case "$previous" in
${formatValueCases(commands)}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "\${argument:-$flags}" -- "$current")) ;;
  esac
}
complete -F _${PROGRAM} ${PROGRAM}
`;
}

function formatCommandCase({ words, flags, positional }: CommandCompletion): string {
  const list = flags.map(({ flag }) => flag).join(" ");
  const positionalPart = positional.length > 0 ? ` argument="${positional.join(" ")}"` : "";
  return `    "${words.join(" ")}") flags="${list}"${positionalPart} ;;`;
}

/** Returns the cases for flags with a value. A flag has the same meaning in every command. */
function formatValueCases(commands: readonly CommandCompletion[]): string {
  const flags = new Map(commands.flatMap((command) => command.flags.map((f) => [f.flag, f])));
  const of = (value: string) => [...flags.values()].filter((flag) => flag.value === value);
  const names = (value: string) => of(value).map(({ flag }) => flag).join(" | ");
  return [
    ...of("choices").map(({ flag, choices }) =>
      `    ${flag}) COMPREPLY=($(compgen -W "${choices.join(" ")}" -- "$current")); return ;;`
    ),
    `    ${names("files")})
      # File names may have spaces: one per line, quoted by readline.
      local IFS=$'\\n'
      type compopt >/dev/null 2>&1 && compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$current"))
      return ;;`,
    `    ${names("free")}) return ;;`,
  ].join("\n");
}
