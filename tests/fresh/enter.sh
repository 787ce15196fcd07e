#!/bin/sh
# Runs a command in a Debian root of its own, with processes and mounts of its own.
# Usage: enter.sh ROOT COMMAND…; needs root. Settings are variables:
#   MODE=chroot|pivot  chroot: no user namespaces can be made there, / is not a mount point
#   DROP=-sys_admin    capabilities that the command does not have; empty: it has all
#   TMP_SIZE=200m      size of /tmp, a file system of its own; empty: no limit
#   IPV6=no            only loopback, and IPv4
#   AT=FOLDER          mount ROOT with all below it here first, as for ROOT=/
#   HOME_FOLDER, TMP_FOLDER  folders that are /root and /tmp
set -eu
if [ "${ENTERED:-}" != 1 ]; then
  [ "${IPV6:-}" = no ] && set -- --net sh "$0" "$@" || set -- sh "$0" "$@"
  ENTERED=1 exec unshare --mount --pid --fork --kill-child --ipc --uts --propagation private "$@"
fi
root=$1
shift
if [ "${IPV6:-}" = no ]; then
  ip link set lo up
  sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1
fi
if [ -n "${AT:-}" ]; then
  mount --rbind "$root" "$AT"
  root=$AT
else
  mount --bind "$root" "$root"
fi
[ -z "${HOME_FOLDER:-}" ] || mount --bind "$HOME_FOLDER" "$root/root"
[ -z "${TMP_FOLDER:-}" ] || mount --bind "$TMP_FOLDER" "$root/tmp"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
# A container has no /dev/fuse.
if [ -z "${DROP:-}" ] && [ -e /dev/fuse ]; then
  touch "$root/dev/fuse"
  mount --bind /dev/fuse "$root/dev/fuse"
fi
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
[ -z "${TMP_SIZE:-}" ] || mount -t tmpfs -o "mode=1777,size=$TMP_SIZE" tmp "$root/tmp"
case $MODE in
chroot) set -- chroot "$root" "$@" ;;
pivot)
  cd "$root"
  mkdir -p .old
  pivot_root . .old
  umount -l /.old
  rmdir /.old
  ;;
esac
unset ENTERED MODE IPV6 TMP_SIZE AT HOME_FOLDER TMP_FOLDER
[ -n "${DROP:-}" ] || exec "$@"
drop=$DROP
unset DROP
exec setpriv "--bounding-set=$drop" "--inh-caps=$drop" "$@"
