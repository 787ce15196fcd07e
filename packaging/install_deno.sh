#!/bin/sh
# Puts a version of Deno at build/toolchain/deno: the one on PATH when its version is right, else npm's.
# Usage: install_deno.sh VERSION TOOLCHAIN_DIRECTORY
set -eu
version=$1
toolchain=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

fail() {
  printf 'toolchain: %s\n' "$1" >&2
  exit 1
}

version_of() {
  "$1" --version 2>/dev/null | sed -n 's/^deno \([0-9.]*\).*/\1/p'
}

# A top-level text of the pin.
pinned() {
  sed -n "s/^  \"$1\": \"\\(.*\\)\",\$/\\1/p" "$here/toolchain/pin.json"
}

mkdir -p "$toolchain"
on_path=$(command -v deno || true)
own=$(CDPATH='' cd -- "$toolchain" && pwd)/deno
# The toolchain itself may be on PATH: a link to itself would not start.
if [ -n "$on_path" ] && [ "$on_path" != "$own" ] && [ "$(version_of "$on_path")" = "$version" ]; then
  ln -sf "$on_path" "$toolchain/deno"
  printf 'toolchain: Deno %s, found at %s\n' "$version" "$on_path"
  exit 0
fi

if [ "$(uname -s)-$(uname -m)" != "Linux-x86_64" ]; then
  fail "npm has no Deno $version for $(uname -s) $(uname -m); put it on PATH (https://docs.deno.com/runtime/getting_started/installation/)"
fi
command -v npm >/dev/null || fail "npm is missing; install Node.js with npm (Debian: apt-get install nodejs npm)"

folder=$toolchain/$version
if [ "$(version_of "$folder/package/deno")" != "$version" ]; then
  mkdir -p "$folder"
  log=$toolchain/npm.log
  printf 'toolchain: installing Deno %s from npm, 40 MB\n' "$version"
  # Without a network, npm's own retries would take more than a minute.
  npm pack "@deno/linux-x64-glibc@$version" --json --ignore-scripts --pack-destination "$folder" \
    --fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 \
    >"$folder/packed.json" 2>"$log" ||
    fail "npm could not install Deno $version; check the npm registry setting and run make again (log: $log)"
  if [ "$version" = "$(pinned deno)" ]; then
    # npm compares the package with the registry's integrity; this compares it with the pinned one.
    grep -qF "\"integrity\": \"$(pinned integrity)\"" "$folder/packed.json" ||
      fail "@deno/linux-x64-glibc@$version on npm is not the pinned package; do not use it"
  fi
  tar -xzf "$folder"/*.tgz -C "$folder"
  rm "$folder"/*.tgz
fi
[ "$(version_of "$folder/package/deno")" = "$version" ] ||
  fail "the Deno from npm does not start or is not $version; run 'make clean' and try again"
# make compares times, and the package has one of 1985.
touch "$folder/package/deno"
ln -sf "$version/package/deno" "$toolchain/deno"
printf 'toolchain: Deno %s, from npm\n' "$version"
