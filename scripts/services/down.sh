#!/usr/bin/env bash
# Stops the services of a folder, by their pid files alone, and removes it. Usage: down.sh DIR
set -euo pipefail
# shellcheck source=scripts/services/lib.sh
. "$(dirname "$0")/lib.sh"

dir=${1:?usage: down.sh DIR}
[ -d "$dir" ] || exit 0
for service in "${ALL_SERVICES[@]}" "${CLUSTER[@]}" "${MORE_SERVICES[@]}"; do
    stop_one "$dir" "$service" TERM &
done
wait
rm -rf "$dir"
