#!/usr/bin/env bash
# Stops one service of a folder and starts it again, on its port and with its data.
# Usage: restart.sh DIR SERVICE [TERM|KILL]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/stop.sh" "$@"
"$here/start.sh" "$1" "$2"
