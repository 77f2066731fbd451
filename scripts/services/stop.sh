#!/usr/bin/env bash
# Stops one service of a folder; its port and its data stay. Usage: stop.sh DIR SERVICE [TERM|KILL]
set -euo pipefail
# shellcheck source=scripts/services/lib.sh
. "$(dirname "$0")/lib.sh"
usage="usage: stop.sh DIR SERVICE [SIGNAL]"
stop_one "$(realpath "${1:?$usage}")" "${2:?$usage}" "${3:-TERM}"
