#!/bin/sh
# Installs the output of `make` below a folder, or removes it: program, man pages, shell completions.
# Usage: install.sh install|uninstall FOLDER
set -eu
action=$1
folder=$2
program=build/bin/aws_signing_helper

fail() {
  printf '%s: %s\n' "$action" "$1" >&2
  exit 1
}

case $folder in
/*) ;;
*) fail "PREFIX: \"$folder\" is not an absolute path; set PREFIX=/usr/local" ;;
esac

# File names below build/share have no blanks.
list() {
  [ -d build/share ] || fail "build/share is missing; run make install first"
  (cd build/share && find . -type f | sed 's|^\./||' | sort)
}

put() { # MODE FROM TO
  mkdir -p "$(dirname "$3")" && install -m "$1" "$2" "$3" ||
    fail "$3 could not be written; run it as a user with write access, or set PREFIX"
  printf 'install: %s\n' "$3"
}

files=$(list)
case $action in
install)
  umask 022
  put 755 "$program" "$folder/bin/aws_signing_helper"
  for file in $files; do put 644 "build/share/$file" "$folder/share/$file"; done
  ;;
uninstall)
  for file in bin/aws_signing_helper $(printf '%s\n' "$files" | sed 's|^|share/|'); do
    [ -e "$folder/$file" ] || continue
    rm -f "$folder/$file" || fail "$folder/$file could not be removed; run it as a user with write access"
    printf 'uninstall: %s\n' "$folder/$file"
  done
  ;;
*) fail "usage: install.sh install|uninstall FOLDER" ;;
esac
