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
need swtpm swtpm
need tpm2_createprimary tpm2-tools
# The tpm2 provider of openssl, and the libraries through which the program reaches a TPM.
for library in ossl-modules/tpm2.so:tpm2-openssl libtss2-esys.so.0:libtss2-esys-3.0.2-0 \
  libtss2-tctildr.so.0:libtss2-tctildr0 libtss2-mu.so.0:libtss2-mu0 libtss2-rc.so.0:libtss2-rc0 \
  libtss2-tcti-swtpm.so.0:libtss2-tcti-swtpm0 libtss2-tcti-device.so.0:libtss2-tcti-device0; do
  set -- /usr/lib/*/"${library%%:*}" /usr/lib/"${library%%:*}" /usr/lib64/"${library%%:*}"
  found=""
  for file in "$@"; do [ ! -e "$file" ] || found=yes; done
  [ -n "$found" ] || missing="$missing ${library#*:}"
done

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
