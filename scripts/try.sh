#!/usr/bin/env bash
# Starts an example of guest-examples, by its own pipeline file, against the servers of the tests, gives it some records
# and shows what becomes of them. Everything ends with Ctrl-C, or with --once when the records are through.
# Usage: try.sh log-es|topic-dump|double-write|binlog-router|binlog-sync|tracking [--once]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/services/lib.sh
. "$root/scripts/services/lib.sh"

example=${1:?usage: try.sh EXAMPLE [--once]}
case $example in
log-es) services=(kafka secured) ;;
topic-dump | double-write) services=(kafka) ;;
binlog-router) services=(kafka mariadb maxwell) ;;
binlog-sync) services=(kafka elasticsearch redis mariadb maxwell) ;;
tracking) services=(kafka redis) ;;
*) die "no example is called '$example': log-es, topic-dump, double-write, binlog-router, binlog-sync or tracking" ;;
esac

"$root/scripts/guests/build.sh" >/dev/null
(cd "$root" && cargo build --release --locked -q)
cp "$root/target/guests/$example.wasm" "$root/guest-examples/$example/"
wasmill=$root/target/release/wasmill

# Services end with this script, and their folders with them.
folder() { mktemp -d -t wasmill-try.XXXXXX; }
say "starting ${services[*]}"
eval "$("$root/scripts/services/up.sh" --dir "$(folder)" --watch-pid $$ "${services[@]}")"
dir=$WASMILL_SERVICES_DIR
export KAFKA=$WASMILL_TEST_KAFKA

tools() { java -cp "$SERVICES_HOME/kafka-$KAFKA_VERSION/libs/*" "org.apache.kafka.tools.$1" --bootstrap-server "${@:2}" 2>/dev/null; }
# Lines of KEY, a tab and VALUE to a topic.
write() { tools ConsoleProducer "$KAFKA" --topic "$1" --property parse.key=true; }
read_all() { # BROKERS TOPIC COUNT
    tools consumer.ConsoleConsumer "$1" --topic "$2" --from-beginning --max-messages "$3" --timeout-ms 20000 \
        --property print.key=true --property print.partition=true
}
show() { echo "+ $*" && "$@" && echo; }

feed_log_es() {
    printf '%s\n' '1	{"time":"2026-01-31T12:00:00Z","user":{"id":1,"password":"x"},"text":"hello"}' \
        '2	{"time":"2026-01-31T12:00:01Z","password":"x","text":"world"}' '3	a line that is no JSON' | write logs
}
show_log_es() {
    curl -s --cacert "$ES_CA" -u "$ES_User:$ES_Password" -X POST "$ES_Address/_refresh" >/dev/null
    show curl -s --cacert "$ES_CA" -u "$ES_User:$ES_Password" \
        "$ES_Address/logs-*/_search?filter_path=hits.hits._index,hits.hits._id,hits.hits._source"
}

feed_topic_dump() {
    printf '%s\n' 'a	first' 'b	second' | write orders.eu
    printf '%s\n' 'c	third' | write orders.us
}
show_topic_dump() {
    show read_all "$TO" orders.eu 2
    show read_all "$TO" orders.us 1
}

feed_double_write() {
    printf '%s\n' 'a	first' 'b	second' 'c	third' | write orders.in
}
show_double_write() {
    show read_all "$OLD" orders 3
    show read_all "$NEW" orders 3
    show "$wasmill" verify --same-partitions --from "brokers=$OLD,topic=orders" --to "brokers=$NEW,topic=orders"
}

# Rows that try.sql changes: so many records Maxwell writes, or more.
CHANGES=9
statements() { sql "$dir" "$(cat "$root/guest-examples/binlog-sync/try.sql")"; }
feed_binlog_router() { statements; }
show_binlog_router() {
    show read_all "$KAFKA" shop.orders 5
    show read_all "$KAFKA" shop.users 2
}
feed_binlog_sync() { statements; }
show_binlog_sync() {
    curl -s -X POST "$ES_Address/_refresh" >/dev/null
    show curl -s "$ES_Address/orders,people/_search?filter_path=hits.hits._index,hits.hits._id,hits.hits._source"
    show redis-cli -u "$REDIS" KEYS '*'
    show redis-cli -u "$REDIS" GET orders:9
    show redis-cli -u "$REDIS" SMEMBERS follows:1
}

feed_tracking() {
    echo "+ redis-cli SET tracking:items:42 '{\"category\":\"shoes\",\"price\":59.90}'"
    redis-cli -u "$REDIS" SET tracking:items:42 '{"category":"shoes","price":59.90}'
    # The first comes twice.
    printf '%s\n' 'u1	{"id":"e-1","user":"u1","item":"42","action":"view","time":1700000000000}' \
        'u1	{"id":"e-1","user":"u1","item":"42","action":"view","time":1700000000000}' \
        'u2	{"id":"e-2","user":"u2","item":"42","action":"view","time":1700000000100}' \
        'u2	{"id":"e-3","user":"u2","item":"42","action":"buy","time":1700000000200}' | write events
}
show_tracking() {
    show read_all "$KAFKA" events.enriched 3
    show redis-cli -u "$REDIS" HGETALL tracking:counts:42
    show redis-cli -u "$REDIS" MGET tracking:seen:e-1 tracking:seen:e-2 tracking:seen:e-3
}

another_kafka() {
    say "starting another kafka"
    "$root/scripts/services/up.sh" --dir "$(folder)" --watch-pid $$ kafka | sed -n 's/^WASMILL_TEST_KAFKA=//p'
}

# Records that the example is given.
records=3
case $example in
log-es)
    export ES_Address=$WASMILL_TEST_SECURED ES_CA=$WASMILL_TEST_SECURED_CA ES_User=wasmill ES_Password=$SECURED_PASSWORD
    export ES_Index_KeyWord=logs ES_Log_IgnoreWord=password,user.password
    ;;
topic-dump)
    TO=$(another_kafka)
    export FROM=$KAFKA TO TOPICS='^orders'
    ;;
tracking)
    export REDIS=$WASMILL_TEST_REDIS
    records=4
    ;;
double-write)
    NEW=$(another_kafka)
    export INTAKE=$KAFKA OLD=$KAFKA NEW
    ;;
binlog-router)
    export TOPIC=maxwell-shop
    records=$CHANGES
    ;;
binlog-sync)
    export TOPIC=maxwell-shop ES_Address=${WASMILL_TEST_ELASTICSEARCH:-} REDIS=${WASMILL_TEST_REDIS:-}
    records=$CHANGES
    ;;
esac

"feed_${example//-/_}"
admin=127.0.0.1:$(free_port)
"$wasmill" run "$root/guest-examples/$example/pipeline.yaml" --data-dir "$dir/host" --admin "$admin" &
host=$!
trap 'kill $host 2>/dev/null; wait $host 2>/dev/null' EXIT
status() { "$wasmill" --json --host "http://$admin" status "$example" 2>/dev/null; }
# Whether as many records as the example is given are through, and none of any partition waits.
through() {
    local said
    said=$(status) || return 1
    ! grep -q '"lag":\(null\|[1-9]\)' <<<"$said" && [ "$(sed -n 's/.*"in":\([0-9]*\).*/\1/p' <<<"$said")" -ge "$records" ]
}
for _ in $(seq 300); do
    kill -0 $host 2>/dev/null || die "the host has ended"
    ! through || break
    sleep 0.1
done
through || { status >&2; die "the records do not come through"; }
"show_${example//-/_}"
[ "${2:-}" = --once ] && exit
say "wasmill --host http://$admin status $example; the folder of the servers is $dir; Ctrl-C ends everything"
wait $host
