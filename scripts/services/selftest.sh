#!/usr/bin/env bash
# Proves the service scripts: all up, data in, each restarted, data still there, all down, nothing left.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/services/lib.sh
. "$here/lib.sh"

expect() { [ "$1" = "$2" ] || die "expected '$2', found '$1'"; }

env=$("$here/up.sh")
eval "$env"
dir=$WASMILL_SERVICES_DIR
redis_port=${WASMILL_TEST_REDIS##*:}
tools() { java -cp "$SERVICES_HOME/kafka-$KAFKA_VERSION/libs/*" "$@" 2>/dev/null; }

redis-cli -p "$redis_port" set key value >/dev/null
curl -sf -XPUT "$WASMILL_TEST_ELASTICSEARCH/test/_doc/1?refresh=true" -H 'content-type: application/json' -d '{"a":1}' >/dev/null
echo record | tools org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$WASMILL_TEST_KAFKA" --topic test >/dev/null

for service in kafka elasticsearch redis; do "$here/restart.sh" "$dir" "$service" KILL; done

expect "$(redis-cli -p "$redis_port" get key)" value
curl -sf "$WASMILL_TEST_ELASTICSEARCH/_cluster/health?wait_for_status=yellow&timeout=30s" >/dev/null
expect "$(curl -sf "$WASMILL_TEST_ELASTICSEARCH/test/_doc/1" | grep -o '"a":1')" '"a":1'
record=$(tools org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$WASMILL_TEST_KAFKA" --topic test \
    --from-beginning --max-messages 1 --timeout-ms 30000)
expect "$record" record

# More services beside them: what is there already goes on, and a change of a row becomes a record.
eval "$("$here/up.sh" --dir "$dir" mariadb maxwell)"
sql "$dir" "CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY); INSERT INTO shop.items VALUES (7)"
change=$(tools org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$WASMILL_TEST_KAFKA" --topic maxwell-shop \
    --from-beginning --max-messages 1 --timeout-ms 30000)
expect "$(grep -o '"data":{"id":7}' <<<"$change")" '"data":{"id":7}'

"$here/down.sh" "$dir"
[ ! -e "$dir" ] || die "$dir is still there"
! pgrep -f "$dir" >/dev/null || die "processes of $dir are still there"

# A watched process that ends takes its services along.
sleep 1000 &
watched=$!
eval "$("$here/up.sh" --watch-pid $watched redis)"
# One that cannot come up takes nothing along.
! "$here/up.sh" --dir "$WASMILL_SERVICES_DIR" maxwell >/dev/null 2>&1 || die "maxwell has no kafka"
alive "$WASMILL_SERVICES_DIR" redis || die "redis is gone with maxwell"
kill $watched
for _ in $(seq 100); do [ -e "$WASMILL_SERVICES_DIR" ] || break; sleep 0.1; done
[ ! -e "$WASMILL_SERVICES_DIR" ] || die "the watchdog left $WASMILL_SERVICES_DIR"
say "all is well"
