#!/bin/sh
# Runs buildah as root with folders of its own in place of /run, /var/lib and /etc, where it leaves files.
# Usage: buildah.sh ARGUMENT...
set -eu
# shellcheck disable=SC2016 # for the inner shell
exec unshare --mount --propagation private sh -ec '
  mount -t tmpfs buildah /run
  mount -t tmpfs buildah /var/lib
  mkdir /run/etc
  cp -a /etc/. /run/etc
  mount --bind /run/etc /etc
  exec buildah "$@"' sh "$@"
