#!/bin/sh
# Prints `version=` and the Deno that packaging/toolchain/pin.json names; a workflow reads it as an output.
set -eu
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^  "deno": "\(.*\)",$/\1/p' packaging/toolchain/pin.json)
[ -n "$version" ] || { echo "pin.json: no version of Deno; restore the file" >&2; exit 1; }
printf 'version=%s\n' "$version" 
if [ -n "${GITHUB_OUTPUT:-}" ]; then printf 'version=%s\n' "$version" >>"$GITHUB_OUTPUT"; fi
