#!/bin/sh
# Makes a wine prefix in which programs compiled by Deno start, from Debian 12's wine64.
# Usage: setup.sh PREFIX
set -eu
prefix=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

WINEPREFIX=$prefix
# No windows, no .NET, no browser; wine's complaints are not ours.
DISPLAY=
WINEDLLOVERRIDES="mscoree=;mshtml=;winemenubuilder.exe=;explorer.exe="
WINEDEBUG=-all
LC_ALL=C.UTF-8
export WINEPREFIX DISPLAY WINEDLLOVERRIDES WINEDEBUG LC_ALL

rm -rf "$prefix"
mkdir -p "$prefix"
# To files: wine's services keep what they were given open, and a pipe would never end.
/usr/lib/wine/wine64 wineboot -i </dev/null >"$prefix/setup.log" 2>&1
/usr/lib/wine/wineserver64 -w
x86_64-w64-mingw32-gcc -O2 -s -Wall -Wextra -shared \
  -o "$prefix/drive_c/windows/system32/bcryptprimitives.dll" "$here/process_prng.c" -ladvapi32
