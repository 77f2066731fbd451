#!/usr/bin/env bash
# Starts services on free ports of the loopback interface, in one temporary folder, and prints where they are:
#   WASMILL_SERVICES_DIR=...  WASMILL_TEST_KAFKA=...  WASMILL_TEST_ELASTICSEARCH=...  WASMILL_TEST_REDIS=...
#   WASMILL_TEST_SECURED=...  WASMILL_TEST_SECURED_CA=...  WASMILL_TEST_MARIADB=...  WASMILL_TEST_KAFKA_SASL=...
# Usage: up.sh [--dir DIR] [--watch-pid PID] [kafka|cluster] [elasticsearch] [redis] [secured] [mariadb] [maxwell]; by
# default kafka, elasticsearch and redis. A cluster has three brokers, with WASMILL_TEST_KAFKA naming all of them.
# `secured` is an Elasticsearch with TLS, user `wasmill` and password `wasmill-secret`. Maxwell needs kafka and mariadb, in
# the same call or an earlier one of the same DIR. What runs already in DIR goes on, and is printed too.
# With --watch-pid everything is stopped and removed when that process ends.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/services/lib.sh
. "$here/lib.sh"

dir= watch=
while [ $# -gt 0 ]; do
    case $1 in
    --dir) dir=$2; shift 2 ;;
    --watch-pid) watch=$2; shift 2 ;;
    *) break ;;
    esac
done
[ -n "$dir" ] || dir=$(mktemp -d -t wasmill-services.XXXXXX)
mkdir -p "$dir"
dir=$(realpath "$dir")
mapfile -t services < <(chosen "$@")
"$here/install.sh" "${services[@]}"

if [ -n "$watch" ]; then
    setsid bash -c "while kill -0 $watch 2>/dev/null; do sleep 1; done; '$here/down.sh' '$dir'" >/dev/null 2>&1 </dev/null &
fi

# The folder's other services may be in use: when something fails, what was started by this call ends, and no more.
starting=() started_here=()
for service in "${services[@]}"; do
    # It connects to the others.
    [ "$service" != maxwell ] || continue
    alive "$dir" "$service" && continue
    start_one "$dir" "$service" 9>&- >/dev/null &
    starting+=($!)
    started_here+=("$service")
done
failed=
for start in "${starting[@]}"; do wait "$start" || failed=1; done
if [ -z "$failed" ] && [[ " ${services[*]} " == *" maxwell "* ]] && ! alive "$dir" maxwell; then
    started_here+=(maxwell)
    start_one "$dir" maxwell 9>&- >/dev/null || failed=1
fi
if [ -n "$failed" ]; then
    for service in "${started_here[@]}"; do
        tail -n 30 "$dir/$service.log" >&2 || true
        stop_one "$dir" "$service" TERM
    done
    in_use=
    for service in "${ALL_SERVICES[@]}" "${CLUSTER[@]}" "${MORE_SERVICES[@]}"; do
        ! alive "$dir" "$service" || in_use=1
    done
    [ -n "$in_use" ] || rm -rf "$dir"
    die "not all of ${started_here[*]} came up"
fi

{
    echo "WASMILL_SERVICES_DIR=$dir"
    brokers=
    for service in "${ALL_SERVICES[@]}" "${CLUSTER[@]}" "${MORE_SERVICES[@]}"; do
        alive "$dir" "$service" || continue
        port=$(cat "$dir/$service.port")
        case $service in
        kafka)
            echo "WASMILL_TEST_KAFKA=127.0.0.1:$port"
            echo "WASMILL_TEST_KAFKA_SASL=127.0.0.1:$(cat "$dir/kafka.sasl")"
            ;;
        broker?) brokers+=,127.0.0.1:$port ;;
        elasticsearch) echo "WASMILL_TEST_ELASTICSEARCH=http://127.0.0.1:$port" ;;
        secured) echo "WASMILL_TEST_SECURED=https://127.0.0.1:$port" && echo "WASMILL_TEST_SECURED_CA=$dir/secured/ca.pem" ;;
        mariadb) echo "WASMILL_TEST_MARIADB=mysql://root@127.0.0.1:$port" ;;
        redis) echo "WASMILL_TEST_REDIS=redis://127.0.0.1:$port" ;;
        esac
    done
    [ -z "$brokers" ] || echo "WASMILL_TEST_KAFKA=${brokers#,}"
} | tee "$dir/env"
