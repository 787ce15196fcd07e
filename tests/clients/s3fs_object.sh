#!/bin/sh
# Prints an object of a bucket that s3fs mounts.
#
# Usage: s3fs_object.sh MOUNT-POINT ENDPOINT BUCKET KEY [OPTION...]
# By default, version 1.95 does not start on a disk that is nine tenths full.
set -u
mount=$1 url=$2 bucket=$3 key=$4
shift 4
mkdir -p "$mount"
s3fs "$bucket" "$mount" -f -o "url=$url" -o use_path_request_style -o endpoint=eu-central-1 \
  -o retries=1 -o connect_timeout=5 -o ensure_diskfree=50 "$@" &
server=$!
trap 'kill $server 2>/dev/null; wait $server' EXIT
tries=600
while [ $((tries -= 1)) -gt 0 ] && kill -0 $server 2>/dev/null; do
  cat "$mount/$key" 2>/dev/null && exit 0
  sleep 0.1
done
exit 1
