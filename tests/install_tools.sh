#!/bin/sh
# Installs what the tests judge by: openssl, Python with boto3 and cryptography, and the AWS SDK for
# JavaScript. Debian packages only when they are missing and apt-get may be used; the rest goes below
# build/clients.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
clients=build/clients

fail() {
  printf 'tools: %s\n' "$1" >&2
  exit 1
}

missing=""
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need openssl openssl
need bash bash
need setsid util-linux
need setpriv util-linux
need python3 python3
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
need npm npm
need node nodejs
# What releases are made with, and judged by.
need dpkg-deb dpkg
need mmdebstrap mmdebstrap
need umoci umoci
need buildah buildah
need bwrap bubblewrap
need readelf binutils
need strace strace
need systemd-analyze systemd
need man man-db
need mandoc mandoc
need lintian lintian
need fish fish
need zsh zsh
need qemu-aarch64-static qemu-user-static
[ -e /lib/ld-musl-x86_64.so.1 ] || missing="$missing musl"

if [ -n "$missing" ]; then
  if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    fail "missing:$missing; install them (Debian: apt-get install$missing) and run make test again"
  fi
  log=$(mktemp)
  # shellcheck disable=SC2086 # a list of packages
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } \
    >"$log" 2>&1 || fail "apt-get could not install$missing; see $log"
  printf 'tools: installed%s\n' "$missing"
fi

# in_step DIRECTORY FILE: whether DIRECTORY was made from this very FILE.
in_step() {
  cmp -s "$2" "$1/made-from"
}

python=$clients/python
if ! in_step "$python" "$here/clients/python/requirements.txt"; then
  rm -rf "$python"
  mkdir -p "$python"
  python3 -m venv "$python" || fail "python3 could not make a virtual environment in $python"
  "$python/bin/pip" install --quiet --disable-pip-version-check -r "$here/clients/python/requirements.txt" ||
    fail "pip could not install boto3; check the network and the package index setting"
  cp "$here/clients/python/requirements.txt" "$python/made-from"
  printf 'tools: Python client in %s\n' "$python"
fi

javascript=$clients/javascript
if ! in_step "$javascript" "$here/clients/javascript/package-lock.json"; then
  rm -rf "$javascript"
  mkdir -p "$javascript"
  cp "$here/clients/javascript/package.json" "$here/clients/javascript/package-lock.json" "$javascript/"
  npm ci --prefix "$javascript" --no-audit --no-fund --ignore-scripts --silent ||
    fail "npm could not install the AWS SDK for JavaScript; check the network and the registry setting"
  cp "$here/clients/javascript/package-lock.json" "$javascript/made-from"
  printf 'tools: JavaScript client in %s\n' "$javascript"
fi

# kustomize builds with a newer Go than Debian 12 has.
KUSTOMIZE=sigs.k8s.io/kustomize/kustomize/v5@v5.8.1
bin=$clients/bin
if [ "$(cat "$bin/kustomize-version" 2>/dev/null)" != "$KUSTOMIZE" ]; then
  command -v go >/dev/null 2>&1 || fail "go is missing; install Go 1.24 or later (https://go.dev/dl/) and run make test again"
  mkdir -p "$bin"
  log=$(mktemp)
  GOBIN=$PWD/$bin GOFLAGS=-mod=mod go install "$KUSTOMIZE" >"$log" 2>&1 ||
    fail "go could not install kustomize; see $log and check the module proxy"
  echo "$KUSTOMIZE" >"$bin/kustomize-version"
  printf 'tools: kustomize in %s\n' "$bin"
fi
