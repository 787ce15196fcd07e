/**
 * Completions for bash (3.2 and later): a function over the table, without other packages.
 *
 * @module
 */
import { PROGRAM } from "../program.ts";
import { type CommandWords, commandWords, firstWords, secondWords } from "./words.ts";

/** The script; it is sourced, or put where bash-completion looks for it. */
export function bashCompletions(): string {
  const commands = commandWords();
  const first = firstWords(commands).map(([word]) => word);
  return `# bash completion for ${PROGRAM}; load it with: source <(${PROGRAM} completions bash)
_${PROGRAM}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="" command="\${COMP_WORDS[1]}"
  local flags="" argument=""
  # Bash gives --name=value as three words.
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
    secondWords(commands).map(([word, seconds]) =>
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
${commands.map(commandCase).join("\n")}
    *) return ;;
  esac
  case "$previous" in
${valueCases(commands)}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "\${argument:-$flags}" -- "$current")) ;;
  esac
}
complete -F _${PROGRAM} ${PROGRAM}
`;
}

function commandCase({ words, flags, argument }: CommandWords): string {
  const list = flags.map(({ flag }) => flag).join(" ");
  const alone = argument.length > 0 ? ` argument="${argument.join(" ")}"` : "";
  return `    "${words.join(" ")}") flags="${list}"${alone} ;;`;
}

/** What follows a flag that takes a value; a flag means the same with every command. */
function valueCases(commands: readonly CommandWords[]): string {
  const flags = new Map(commands.flatMap((command) => command.flags.map((f) => [f.flag, f])));
  const of = (value: string) => [...flags.values()].filter((flag) => flag.value === value);
  const names = (value: string) => of(value).map(({ flag }) => flag).join(" | ");
  return [
    ...of("choices").map(({ flag, choices }) =>
      `    ${flag}) COMPREPLY=($(compgen -W "${choices.join(" ")}" -- "$current")); return ;;`
    ),
    `    ${names("files")})
      # Names stay whole: one a line, and quoted by readline.
      local IFS=$'\\n'
      type compopt >/dev/null 2>&1 && compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$current"))
      return ;;`,
    `    ${names("free")}) return ;;`,
  ].join("\n");
}
