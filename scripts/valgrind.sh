#!/usr/bin/env bash
# Installs valgrind, by which `wasmill-bench counts` counts instructions, where it is missing.
set -euo pipefail

command -v valgrind >/dev/null && exit
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "valgrind is missing; install it (on Debian, as root: apt-get install valgrind)" >&2
    exit 1
fi
echo "installing valgrind" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get install -y --no-install-recommends valgrind >&2 ||
    { apt-get update >&2 && apt-get install -y --no-install-recommends valgrind >&2; }
