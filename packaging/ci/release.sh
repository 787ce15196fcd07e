#!/bin/sh
# Steps of a release after `linux.sh release`.
# Usage: release.sh url|tag|verify FOLDER|compare FOLDER FOLDER|publish FOLDER
#   url      prints the address of the files, for the manifests; a workflow reads it as an output
#   tag      fails if the tag GITHUB_REF_NAME is not that of the source's version
#   verify   checks the sums of a downloaded release, and runs the program of this machine
#   compare  fails if two builds of the release are not the same
#   publish  makes the release of GitHub, with gh and GH_TOKEN
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
step=${1:-}
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$here/../../deno.json")

fail() {
  printf 'release: %s\n' "$1" >&2
  exit 1
}

# The sums of a folder: macOS has shasum only.
check_sums() {
  if command -v sha256sum >/dev/null; then sha256sum -c SHA256SUMS; else shasum -a 256 -c SHA256SUMS; fi
}

case $step in
url)
  url=${GITHUB_SERVER_URL:?}/${GITHUB_REPOSITORY:?}/releases/download/${GITHUB_REF_NAME:?}
  printf 'url=%s\n' "$url"
  if [ -n "${GITHUB_OUTPUT:-}" ]; then printf 'url=%s\n' "$url" >>"$GITHUB_OUTPUT"; fi
  ;;
tag)
  [ "${GITHUB_REF_NAME:?}" = "v$version" ] ||
    fail "the tag is $GITHUB_REF_NAME and the version $version; set the tag v$version"
  ;;
verify)
  cd "${2:?the folder of the release}"
  check_sums
  case $(uname -s)-$(uname -m) in
  Linux-x86_64) name=linux-x64 ;;
  Linux-aarch64) name=linux-arm64 ;;
  Darwin-x86_64) name=macos-x64 ;;
  Darwin-arm64) name=macos-arm64 ;;
  *) fail "no program of the release for $(uname -s) $(uname -m)" ;;
  esac
  program=aws_signing_helper-$version-$name
  chmod +x "$program"
  sh "$here/selftest.sh" "$program"
  ;;
compare)
  cmp "${2:?a folder}/SHA256SUMS" "${3:?another folder}/SHA256SUMS" ||
    fail "two builds of this commit differ; see their SHA256SUMS"
  for folder in "$2" "$3"; do (cd "$folder" && check_sums >/dev/null); done
  echo "both builds are the same"
  ;;
publish)
  cd "${2:?the folder of the release}"
  check_sums
  # Only files with a sum, because only they are attested.
  cut -c 67- SHA256SUMS | grep -vx RELEASE_NOTES.md |
    xargs gh release create "${GITHUB_REF_NAME:?}" --verify-tag --title "$version" \
      --notes-file RELEASE_NOTES.md SHA256SUMS
  ;;
*)
  echo "usage: release.sh url|tag|verify|compare|publish" >&2
  exit 2
  ;;
esac
