#!/bin/sh
# Steps of CI on Linux, for both processors. Needs what tests/README.md lists, and on ARM also Deno on PATH.
# Usage: linux.sh build|test|selftest|bench|release
set -eu
cd "$(dirname "$0")/../.."
step=${1:-}
export NO_COLOR=1
export DENO_DIR="$PWD/build/deno" DENO_TLS_CA_STORE=system DENO_NO_UPDATE_CHECK=1
binary=build/bin/aws_signing_helper
deno=build/toolchain/deno

case $step in
build)
  make build
  ;;
test)
  # As root: it installs Debian's packages, and tests in namespaces.
  make test
  ;;
selftest)
  sh packaging/ci/selftest.sh "$binary"
  ;;
bench)
  "$deno" run --quiet --cached-only -A tests/bench/startup.ts "$binary" "${RUNS:-20}"
  ;;
release)
  make dist
  (cd build/dist && sha256sum -c SHA256SUMS)
  ;;
*)
  echo "usage: linux.sh build|test|selftest|bench|release" >&2
  exit 2
  ;;
esac
