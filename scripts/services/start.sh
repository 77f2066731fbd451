#!/usr/bin/env bash
# Starts one service of a folder that was stopped. Usage: start.sh DIR SERVICE
set -euo pipefail
# shellcheck source=scripts/services/lib.sh
. "$(dirname "$0")/lib.sh"
usage="usage: start.sh DIR SERVICE"
dir=$(realpath "${1:?$usage}")
: >"$dir/${2:?$usage}.log"
start_one "$dir" "$2"
