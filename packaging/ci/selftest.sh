#!/bin/sh
# Runs `version` and `selftest` of a program with an EC and an RSA key of openssl, on Linux and macOS.
# Usage: selftest.sh PROGRAM
set -eu
program=$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd)/$(basename -- "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

"$program" version
for algorithm in EC RSA; do
  case $algorithm in
  EC) set -- -pkeyopt ec_paramgen_curve:P-256 ;;
  RSA) set -- -pkeyopt rsa_keygen_bits:2048 ;;
  esac
  openssl genpkey -algorithm "$algorithm" "$@" -out key.pem 2>/dev/null
  openssl req -new -x509 -key key.pem -subj "/CN=selftest $algorithm" -days 1 -out certificate.pem
  HOME=$folder "$program" selftest --certificate certificate.pem --private-key key.pem | tee report
  grep -qx 'Result: passed' report
done
