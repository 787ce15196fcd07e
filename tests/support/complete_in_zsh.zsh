# Types a line and Tab into an interactive zsh, and prints what the line became, or what was offered.
# Usage: zsh -f complete_in_zsh.zsh COMPLETION_FILE LINE
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PROMPT= RPROMPT= ; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D"
zpty -w shell "source ${(q)1}; LISTMAX=0; zstyle ':completion:*' list-prompt ''"
zpty -w shell "show-line() { print -r -- \$'\\n'\"<line>\$BUFFER</line>\" }; zle -N show-line; bindkey '^X' show-line"
zpty -w shell "stty -echo columns 400; print ready-\${:-now}"
local out
zpty -r -m shell out '*ready-now*'
zpty -w -n shell "$2"$'\t\x18'
zpty -r -m shell out '*</line>*'
zpty -d shell
print -r -- "$out"
