#!/bin/sh
# Installs what the tests judge by: openssl, SoftHSM, swtpm, Python with boto3, the AWS CLI and
# cryptography, the AWS SDK for JavaScript, and, where their toolchains are, programs with those for Go,
# Java and Rust; and what other systems' programs run with: compilers, wine, an arm64 emulator. Debian
# packages only when they are missing and apt-get may be used; the rest goes below build.
# Usage: install_tools.sh [unit|all|--packages]: for the unit tests, for all tests (the default), or only
# a list of all Debian packages, which the apt-get line of tests/README.md shows.
set -eu
level=${1:-all}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
clients=build/clients

fail() {
  printf 'tools: %s\n' "$1" >&2
  exit 1
}

# An ordinary user's PATH lacks these folders.
PATH=$PATH:/usr/sbin:/sbin

section=unit
missing=""
wanted=""
# lacks FILE...: true if none of the files is there, or if all packages are to be listed.
lacks() {
  [ "$level" != --packages ] || return 0
  for file in "$@"; do [ ! -e "$file" ] || return 1; done
}
add() { # PACKAGE...
  [ "$section" = unit ] || [ "$level" != unit ] || return 0
  missing="$missing $*"
}
need() { # COMMAND PACKAGE
  lacks "$(command -v "$1" || echo /nonexistent)" && add "$2" || true
}
need make make
! lacks /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt || add ca-certificates
need openssl openssl
need curl curl
need bash bash
need setsid util-linux
need setpriv util-linux
need flock util-linux
need unshare util-linux
need nsenter util-linux
need ip iproute2
need nft nftables
need shellcheck shellcheck
need mount mount
need useradd passwd
need ps procps
need python3 python3
if lacks /dev/null || ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then add python3-venv; fi
# PKCS#11: tokens, tools that fill them, p11-kit's proxy, and a compiler for the test modules.
need softhsm2-util softhsm2
need pkcs11-tool opensc
need p11tool gnutls-bin
need p11-kit p11-kit
! lacks "/usr/lib/$(uname -m)-linux-gnu/p11-kit-proxy.so" || add p11-kit-modules libp11-kit0
need certutil libnss3-tools
! lacks "/usr/lib/$(uname -m)-linux-gnu/libykcs11.so.2" || add ykcs11
need ssh-keygen openssh-client
need puttygen putty-tools
need gcc gcc
! lacks /usr/include/stdio.h || add libc6-dev
need npm npm
need node nodejs
need swtpm swtpm
need socat socat
need tpm2_createprimary tpm2-tools
# The tpm2 provider of openssl, and the libraries through which the program reaches a TPM. The names are
# those of Debian 12; Debian 13 knows them, too.
for library in ossl-modules/tpm2.so:tpm2-openssl libtss2-esys.so.0:libtss2-esys-3.0.2-0 \
  libtss2-tctildr.so.0:libtss2-tctildr0 libtss2-rc.so.0:libtss2-rc0 \
  libtss2-tcti-swtpm.so.0:libtss2-tcti-swtpm0 libtss2-tcti-device.so.0:libtss2-tcti-device0; do
  file=${library%%:*}
  ! lacks /usr/lib/*/"$file" "/usr/lib/$file" "/usr/lib64/$file" || add "${library#*:}"
done
section=all
# Tools that make and check releases.
need dpkg-deb dpkg
need mmdebstrap mmdebstrap
need umoci umoci
need buildah buildah
# buildah of Debian 13 does nothing without it.
! lacks /usr/lib/podman/netavark /usr/libexec/podman/netavark || add netavark
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
! lacks /lib/ld-musl-x86_64.so.1 || add musl
! lacks /bin/busybox || add busybox-static
need tinyproxy tinyproxy-bin
# Clients of AWS, besides those that are installed below build.
! lacks /usr/bin/aws || add awscli
need docker-credential-ecr-login amazon-ecr-credential-helper
need rclone rclone
need restic restic
need s3cmd s3cmd
need s3fs s3fs
! lacks /usr/share/rubygems-integration/all/gems/aws-sdk-core-* || add ruby ruby-aws-sdk-core
# For programs of other systems. Without these, the tests that need them are shown as skipped.
want() { # FILE PACKAGE
  ! lacks "$1" || wanted="$wanted $2"
}
# 123 MB to download and 410 MB on disk for one test: only in our CI, or where it is installed already.
[ -z "${AWS_SIGNING_HELPER_CI:-}" ] || want /usr/bin/chromium chromium
# Daemons that the system would start: only in our CI, or where they are installed already.
if [ -n "${AWS_SIGNING_HELPER_CI:-}" ]; then
  want /usr/sbin/pkcsslotd opencryptoki
  want /usr/sbin/tpm2-abrmd tpm2-abrmd
  want /usr/lib/x86_64-linux-gnu/libtss2-tcti-tabrmd.so.0 libtss2-tcti-tabrmd0
  want /usr/bin/tpm2_ptool libtpm2-pkcs11-tools
  want /usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so libtpm2-pkcs11-1
  want /usr/bin/dbus-run-session dbus-daemon
fi
want /usr/bin/gcc gcc
want /usr/include/stdlib.h libc6-dev
want /usr/include/openssl/evp.h libssl-dev
if [ "$(uname -m)" = x86_64 ]; then
  want /usr/bin/x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64
  want /usr/lib/wine/wine64 wine64
  want /usr/bin/qemu-aarch64-static qemu-user-static
  want /usr/bin/aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
  want /usr/aarch64-linux-gnu/include/stdlib.h libc6-dev-arm64-cross
  want /usr/bin/mmdebstrap mmdebstrap
fi
if [ "$level" = --packages ]; then
  # shellcheck disable=SC2086 # a list of packages
  printf '%s\n' $missing $wanted | sort -u
  exit 0
fi
can_install=no
if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then can_install=yes; fi
if [ -n "$wanted" ] && [ "$level" = all ]; then
  if [ $can_install = yes ]; then missing="$missing$wanted"; else
    printf 'tools: without%s some tests are skipped\n' "$wanted"
  fi
fi

# A temporary file elsewhere would be left when a step fails.
mkdir -p build/logs
if [ -n "$missing" ]; then
  # shellcheck disable=SC2086 # a list of packages
  missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
  install="apt-get install --no-install-recommends $missing"
  if [ $can_install = no ]; then
    fail "missing: $missing; let root install them (Debian: $install) and run make again"
  fi
  log=build/logs/apt-get.log
  apt-get update >"$log" 2>&1 || fail "apt-get update failed; see $log and check the network"
  printf 'tools: installing Debian packages: %s\n' "$missing"
  # shellcheck disable=SC2086 # a list of packages
  LC_ALL=C apt-get install --assume-no --no-install-recommends $missing 2>/dev/null |
    sed -n 's/^\([0-9]* upgraded, .*\)/tools: with what they need: \1/p; s/^\(Need to get .*\|After this .*\)/tools: \1/p'
  # shellcheck disable=SC2086 # a list of packages
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >>"$log" 2>&1 ||
    fail "apt-get could not install $missing; see $log"
  printf 'tools: installed\n'
fi

# pip and Go unpack hundreds of MB: /tmp may be smaller.
temporary=$PWD/build/temporary
mkdir -p "$temporary"
trap 'rm -rf "$temporary"' EXIT
export GOTMPDIR="$temporary"

# in_step DIRECTORY FILE: whether DIRECTORY was made from this very FILE.
in_step() {
  cmp -s "$2" "$1/made-from"
}

python=$clients/python
if ! in_step "$python" "$here/clients/python/requirements.txt"; then
  rm -rf "$python"
  mkdir -p "$python"
  python3 -m venv "$python" || fail "python3 could not make a virtual environment in $python"
  TMPDIR=$temporary "$python/bin/pip" install --quiet --disable-pip-version-check -r "$here/clients/python/requirements.txt" ||
    fail "pip could not install boto3 and the AWS CLI; check the network and the package index setting"
  cp "$here/clients/python/requirements.txt" "$python/made-from"
  printf 'tools: Python client in %s\n' "$python"
fi

[ "$level" = all ] || exit 0

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

# Their botocore is another one than boto3's.
libraries=$clients/libraries
if ! in_step "$libraries" "$here/clients/python/libraries.txt"; then
  rm -rf "$libraries"
  mkdir -p "$libraries"
  python3 -m venv "$libraries" || fail "python3 could not make a virtual environment in $libraries"
  TMPDIR=$temporary "$libraries/bin/pip" install --quiet --disable-pip-version-check -r "$here/clients/python/libraries.txt" ||
    fail "pip could not install pyarrow and others; check the network and the package index setting"
  cp "$here/clients/python/libraries.txt" "$libraries/made-from"
  printf 'tools: Python libraries in %s\n' "$libraries"
fi

# A server of AWS's interfaces by others than AWS and us.
moto=$clients/moto
if ! in_step "$moto" "$here/clients/python/moto.txt"; then
  rm -rf "$moto"
  mkdir -p "$moto"
  python3 -m venv "$moto" || fail "python3 could not make a virtual environment in $moto"
  TMPDIR=$temporary "$moto/bin/pip" install --quiet --disable-pip-version-check -r "$here/clients/python/moto.txt" ||
    fail "pip could not install moto; check the network and the package index setting"
  cp "$here/clients/python/moto.txt" "$moto/made-from"
  printf 'tools: moto in %s\n' "$moto"
fi

# The libraries that programs for arm64 are emulated with.
arm64=build/arm64/root
if [ ! -e "$arm64/usr/lib/aarch64-linux-gnu/libcrypto.so.3" ] && command -v mmdebstrap >/dev/null &&
  [ "$(id -u)" -eq 0 ]; then
  rm -rf "$arm64"
  mkdir -p build/arm64
  log=build/logs/arm64.log
  mmdebstrap --variant=extract --architectures=arm64 \
    --include=libc6,libgcc-s1,libc-bin,libssl3,libssl-dev bookworm "$arm64" >"$log" 2>&1 ||
    fail "mmdebstrap could not get the libraries for arm64; see $log"
  printf 'tools: libraries for arm64 in %s\n' "$arm64"
fi

# promtool and prometheus, as Debian builds them: only unpacked, because the package starts a daemon.
prometheus=$PWD/$clients/prometheus
if [ ! -e "$prometheus/made-from" ]; then
  rm -rf "$prometheus"
  mkdir -p "$prometheus"
  log=$PWD/build/logs/prometheus.log
  fetch() { (cd "$temporary" && rm -f prometheus_*.deb && apt-get -qq download prometheus) >>"$log" 2>&1; }
  : >"$log"
  # On a machine without package lists, the first try fails.
  if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null &&
    { fetch || { [ $can_install = yes ] && apt-get update >>"$log" 2>&1 && fetch; }; } &&
    dpkg-deb --fsys-tarfile "$temporary"/prometheus_*.deb |
    tar -xf - -C "$prometheus" --strip-components=3 ./usr/bin/prometheus ./usr/bin/promtool >>"$log" 2>&1; then
    (cd "$temporary" && echo prometheus_*.deb) >"$prometheus/made-from"
    printf 'tools: prometheus in %s\n' "$clients/prometheus"
  else
    echo "apt-get could not fetch the package prometheus; see $log" >"$prometheus/why-not"
    printf 'tools: no prometheus: %s\n' "$(cat "$prometheus/why-not")"
  fi
fi

# These build with a newer Go than Debian 12 has. Without it, their tests are skipped.
go_program() { # NAME MODULE@VERSION
  folder=$PWD/$clients/$1
  if [ "$(cat "$folder/made-from" 2>/dev/null)" = "$2" ]; then return; fi
  mkdir -p "$folder"
  rm -f "$folder/why-not"
  if GOBIN=$folder GOFLAGS=-mod=mod go install "$2" >"$folder/build.log" 2>&1; then
    echo "$2" >"$folder/made-from"
    printf 'tools: %s in %s\n' "$1" "$clients/$1"
  else
    echo "Go 1.25 or later could not install $1; see $folder/build.log" >"$folder/why-not"
    printf 'tools: no %s: %s\n' "$1" "$(cat "$folder/why-not")"
  fi
}
go_program kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.8.1
go_program actionlint github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# The following clients are built if their toolchain is installed. Otherwise they are reported as not run,
# and the tests find the reason in build/clients/NAME/why-not.
go_version() { go env GOVERSION; }
go_v1_version() { go_version; }
go_base_version() { go_version; }
spire_version() { go_version; }
rust_version() { cargo --version; }
java_version() { command -v mvn >/dev/null && command -v javac >/dev/null && javac -version 2>&1; }

# to_build NAME LEAST SOURCE...: whether the program is to be built: its toolchain, by the first part of
# its NAME, has version LEAST or later, and it was not made from these very files of tests/clients/NAME.
to_build() {
  sources=$here/clients/$1 folder=$PWD/$clients/$1 name=$1 least=$2
  shift 2
  have=$("${name%%_*}_version" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)*' | head -n 1) || have=""
  mkdir -p "$folder"
  rm -f "$folder/why-not"
  if [ -z "$have" ]; then
    echo "its toolchain is not installed" >"$folder/why-not"
  elif ! printf '%s\n' "$least" "$have" | sort -V -C; then
    echo "its toolchain is version $have, and $least is needed" >"$folder/why-not"
  else
    (cd "$sources" && cat "$@") >"$folder/making-from"
    ! cmp -s "$folder/making-from" "$folder/made-from"
    return
  fi
  printf 'tools: no %s client: %s\n' "$name" "$(cat "$folder/why-not")"
  return 1
}

# build COMMAND...: runs a step of the build; its output is kept and shown if it fails.
build() {
  "$@" >"$folder/build.log" 2>&1 ||
    fail "the $name client could not be built; check the network, and see $folder/build.log"
}

built() {
  mv "$folder/making-from" "$folder/made-from"
  printf 'tools: %s client in %s\n' "$name" "$clients/$name"
}

for client in go:1.24 go_v1:1.24 go_base:1.25; do
  if to_build "${client%:*}" "${client#*:}" go.mod go.sum main.go; then
    build go build -C "$sources" -buildvcs=false -trimpath -ldflags='-s -w' -o "$folder/caller_identity" .
    built
  fi
done

if to_build go_containers 1.24 go.mod go.sum main.go; then
  build go build -C "$sources" -buildvcs=false -trimpath -ldflags='-s -w' -o "$folder/make_containers" .
  built
fi

# SPIRE's server and agent: ten minutes of processor time, or ten seconds if Go's build cache has them.
if to_build spire 1.25.3 go.mod go.sum; then
  printf 'tools: building SPIRE, which takes minutes\n'
  GOBIN=$folder build nice go install -C "$sources" -buildvcs=false -trimpath -ldflags='-s -w' tool
  built
fi

if to_build java 17 pom.xml CallerIdentity.java; then
  rm -rf "$folder/lib"
  build mvn --quiet --batch-mode --file "$sources/pom.xml" "-DoutputDirectory=$folder/lib" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies
  build javac -cp "$folder/lib/*" -d "$folder/lib" "$sources/CallerIdentity.java"
  built
fi

if to_build java_containers 17 pom.xml MakeContainers.java; then
  rm -rf "$folder/lib"
  build mvn --quiet --batch-mode --file "$sources/pom.xml" "-DoutputDirectory=$folder/lib" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies
  build javac -cp "$folder/lib/*" -d "$folder/lib" "$sources/MakeContainers.java"
  built
fi

if to_build rust 1.94.1 Cargo.toml Cargo.lock src/main.rs; then
  build cargo build --quiet --locked --manifest-path "$sources/Cargo.toml" --target-dir "$folder/target"
  mv "$folder/target/debug/caller-identity" "$folder/caller_identity"
  rm -rf "$folder/target"
  built
fi
