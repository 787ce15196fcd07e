#!/bin/sh
# Steps of CI on macOS, for both processors. Needs Deno of packaging/toolchain/pin.json on PATH, npm, make.
# Usage: macos.sh tools|build|unit|e2e|systems|selftest|bench
# `systems` makes a keychain, puts it into the user's search list, and removes it.
set -eu
cd "$(dirname "$0")/../.."
step=${1:-}
export NO_COLOR=1
export DENO_DIR="$PWD/build/deno" DENO_TLS_CA_STORE=system DENO_NO_UPDATE_CHECK=1
binary=build/bin/aws_signing_helper
deno=build/toolchain/deno

# macOS has LibreSSL as openssl.
if command -v brew >/dev/null && [ -d "$(brew --prefix)/opt/openssl@3/bin" ]; then
  PATH=$(brew --prefix)/opt/openssl@3/bin:$PATH
  export PATH
fi

case $step in
tools)
  brew install openssl@3 softhsm
  ;;
build)
  make build
  ;;
unit | e2e)
  "$deno" run --quiet --cached-only -A packaging/ci/tests.ts "$step"
  ;;
systems)
  AWS_SIGNING_HELPER_TEST_SOFTHSM=$(brew --prefix)/lib/softhsm/libsofthsm2.so
  AWS_SIGNING_HELPER_TEST_STORES=1
  export AWS_SIGNING_HELPER_TEST_SOFTHSM AWS_SIGNING_HELPER_TEST_STORES
  "$deno" run --quiet --cached-only -A packaging/ci/tests.ts systems
  ;;
selftest)
  sh packaging/ci/selftest.sh "$binary"
  ;;
bench)
  "$deno" run --quiet --cached-only -A tests/bench/startup.ts "$binary" "${RUNS:-20}"
  ;;
*)
  echo "usage: macos.sh tools|build|unit|e2e|systems|selftest|bench" >&2
  exit 2
  ;;
esac
