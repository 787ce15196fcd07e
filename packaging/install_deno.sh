#!/bin/sh
# Puts the pinned Deno at build/toolchain/deno: the one on PATH when its version is right, else npm's.
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

mkdir -p "$toolchain"
on_path=$(command -v deno || true)
if [ -n "$on_path" ] && [ "$(version_of "$on_path")" = "$version" ]; then
  ln -sf "$on_path" "$toolchain/deno"
  printf 'toolchain: Deno %s, found at %s\n' "$version" "$on_path"
  exit 0
fi

if [ "$(uname -s)-$(uname -m)" != "Linux-x86_64" ]; then
  fail "npm has no Deno $version for $(uname -s) $(uname -m); install Deno $version (https://docs.deno.com/runtime/getting_started/installation/) and have it on PATH"
fi
command -v npm >/dev/null || fail "npm is missing; install Node.js with npm (Debian: apt-get install nodejs npm)"

cp "$here/toolchain/package.json" "$here/toolchain/package-lock.json" "$toolchain/"
log=$toolchain/npm.log
printf 'toolchain: installing Deno %s from npm, 120 MB\n' "$version"
# Without a network, npm's own retries would take more than a minute.
npm ci --prefix "$toolchain" --no-audit --no-fund --ignore-scripts --fetch-retries=2 \
  --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 >"$log" 2>&1 ||
  fail "npm could not install Deno $version; see $log, check the npm registry setting and run make again"
ln -sf "node_modules/@deno/linux-x64-glibc/deno" "$toolchain/deno"
[ "$(version_of "$toolchain/deno")" = "$version" ] ||
  fail "the Deno from npm does not start or is not $version; run 'make clean' and try again"
printf 'toolchain: Deno %s, from npm\n' "$version"
