#!/bin/sh
# One phase of a run on a fresh machine, inside its root.
# Usage: inside.sh packages|build|install|test; see run.ts for the variables.
set -u
what=$1
umask 022

as_user() { # COMMAND…: as the user who runs make, with the variables of the environment if asked to
  if [ "$RUN_AS" = root ]; then "$@"; else
    HOME=/home/user setpriv --reuid=user --regid=user --init-groups "$@"
  fi
}

# run LIMIT VARIABLES COMMAND…: in the checkout
in_checkout() {
  variables=$1
  shift
  # shellcheck disable=SC2016 # for the inner shell
  as_user sh -c 'umask "$UMASK"; cd "$CHECKOUT" || exit; eval "export $1 DUMMY="; unset DUMMY CHECKOUT RUN_AS VARIABLES LOG; shift; exec "$@"' \
    sh "$variables" "$@"
}

[ -z "$NODE" ] || PATH=/opt/node/bin:$PATH
case $what in
packages)
  set -e
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  if [ "$RUN_AS" = user ]; then
    useradd --create-home user
    # the line of tests/README.md
    # shellcheck disable=SC2046 # a list of packages
    LC_ALL=C apt-get install -y --no-install-recommends $(sh "$CHECKOUT/tests/install_tools.sh" --packages)
    chown -R user:user /home/user
  else
    LC_ALL=C apt-get install -y --no-install-recommends make nodejs npm ca-certificates openssl
  fi
  df -m / | tail -1
  if [ -n "$NODE" ]; then
    npm install --global --prefix /opt/node "node@$NODE"
    node --version
  fi
  ;;
build)
  in_checkout "" make
  ;;
install)
  started=$(date +%s)
  in_checkout "" make demo >/root/demo.out 2>/root/demo.err
  code=$?
  cat /root/demo.err /root/demo.out
  lines=$(wc -l </root/demo.out)
  echo "demo $code, $lines line, $(($(date +%s) - started)) s" >/report
  started=$(date +%s)
  if [ "$TARGET" = test ]; then in_checkout "" make tools; else in_checkout "" make unit-tools; fi
  echo "tools $?, $(($(date +%s) - started)) s" >>/report
  if [ "$TARGET" = test ]; then
    # shellcheck disable=SC2086 # flags
    in_checkout "" make $MAKE_FLAGS test-image
  fi
  ;;
test)
  case "$VARIABLES" in *TMPDIR*) mkdir -p /var/tmp/elsewhere && chmod 1777 /var/tmp/elsewhere ;; esac
  # sort's own files, and the one that systemd-analyze makes, are not ours.
  state() {
    find / -xdev \( -path "$CHECKOUT" -o -path /proc -o -path /dev -o -path /sys -o -path /var/cache -o -path /root/.cache \
      -o -path /root/.npm -o -path /home/user/.cache -o -path /home/user/.npm -o -name before -o -name after -o -name report \
      -o -name test.out -o -name 'demo.*' -o -name 'sort??????' -o -path /run/systemd/systemd-units-load \) -prune -o -print | sort
    find /tmp /dev/shm ! -name 'sort??????' | sort
    cat /etc/passwd /etc/group
    cut -d' ' -f5 /proc/self/mountinfo
    for process in /proc/[0-9]*; do
      grep -qs '^State:.Z' "$process/status" || tr '\0' ' ' <"$process/cmdline" 2>/dev/null
      echo
    done | grep -v 'inside.sh\|^$\|^sort $' | sort
  }
  state >/before
  started=$(date +%s)
  in_checkout "$VARIABLES" make demo >/root/demo.out 2>/root/demo.err
  echo "demo with the variables $?, $(wc -l </root/demo.out) line, $(($(date +%s) - started)) s" >>/report
  started=$(date +%s)
  # shellcheck disable=SC2086 # flags
  in_checkout "$VARIABLES" make $MAKE_FLAGS "$TARGET" >/root/test.out 2>&1
  code=$?
  cat /root/test.out
  echo "$TARGET $code, $(grep '^[0-9]* passed, ' /root/test.out | tail -n 1), $(($(date +%s) - started)) s" >>/report
  grep '^skipped: ' /root/test.out | tr '\n' ';' >>/report
  echo >>/report
  state >/after
  trace=$(diff /before /after | grep '^[<>]' | tr '\n' ';')
  echo "left: ${trace:-nothing}" >>/report
  echo "$(du -sm "$CHECKOUT" | cut -f1) MB in the checkout" >>/report
  cat /report
  [ $code -eq 0 ] && [ -z "$trace" ]
  ;;
esac
