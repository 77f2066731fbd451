#!/usr/bin/env bash
# Stops one service of a folder and starts it again, on its port and with its data.
# Usage: restart.sh DIR SERVICE [TERM|KILL]
set -euo pipefail
# shellcheck source=scripts/services/lib.sh
. "$(dirname "$0")/lib.sh"

dir=$(realpath "${1:?usage: restart.sh DIR SERVICE [SIGNAL]}")
stop_one "$dir" "${2:?usage: restart.sh DIR SERVICE [SIGNAL]}" "${3:-TERM}"
: >"$dir/$2.log"
start_one "$dir" "$2"
