# shellcheck shell=bash
# Go 1.24 or newer: what is there, or Debian's. To be sourced, with `root` set. The SDK has no dependencies, so nothing is
# fetched for it.
if ! command -v "${GO:-go}" >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "go: not installed: Go 1.24 or newer from https://go.dev/dl" >&2
        exit 1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends golang-go >&2
fi
# The same module for the other world.
case ${folder:-} in
    *-records | *-records/) export GOFLAGS="${GOFLAGS:+$GOFLAGS }-tags=wasmill_records" ;;
esac
