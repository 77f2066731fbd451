# What the service scripts share. Sourced; needs bash with `set -euo pipefail`.
# shellcheck shell=bash

KAFKA_VERSION=4.1.1
SLF4J_VERSION=1.7.36
ALL_SERVICES=(kafka elasticsearch redis)
# Instead of `kafka`: see start_broker.
CLUSTER=(broker1 broker2 broker3)
# Started where they are asked for. Maxwell is last: it needs kafka and mariadb.
MORE_SERVICES=(secured mariadb maxwell)

# shellcheck source=scripts/services/elasticsearch.sh
. "$(dirname "${BASH_SOURCE[0]}")/elasticsearch.sh"
# shellcheck source=scripts/services/mariadb.sh
. "$(dirname "${BASH_SOURCE[0]}")/mariadb.sh"
# shellcheck source=scripts/services/maxwell.sh
. "$(dirname "${BASH_SOURCE[0]}")/maxwell.sh"

# Where what is installed is kept, for all runs of this user.
SERVICES_HOME=${WASMILL_SERVICES_HOME:-$HOME/.cache/wasmill-services}

say() { echo "services: $*" >&2; }
die() { say "$@"; exit 1; }

# The services named, or all.
chosen() {
    local service
    [ $# -gt 0 ] || set -- "${ALL_SERVICES[@]}"
    for service in "$@"; do
        if [ "$service" = cluster ]; then printf '%s\n' "${CLUSTER[@]}"; else echo "$service"; fi
    done
}

java_home() { dirname "$(dirname "$(readlink -f "$(command -v java)")")"; }

# A port that nobody listens on now, from below those that the system gives to connections: one of them could be taken
# by any client before the server has started, or while it is restarted. With a folder, none that was given for it
# before: its services are started side by side, and listen only later.
free_port() { # [DIR]
    python3 - "${1:+$1/ports}" <<'END'
import fcntl, random, socket, sys
first = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
ports = random.sample(range(10000, first), 100) if first > 10100 else []
with open(sys.argv[1] or "/dev/null", "a+") as given:
    fcntl.flock(given, fcntl.LOCK_EX)
    given.seek(0)
    taken = given.read().split()
    for port in [*ports, *[0] * 100]:
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            port = one.getsockname()[1]
        if str(port) not in taken:
            print(port, file=given)
            print(port)
            break
END
}

# Letters alone: an id that begins with a dash would be taken for an option.
cluster_id() { head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | tr -d =; }

# When a process started, in clock ticks since boot: with its pid, its identity, since pids come round again.
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

# Notes a process as the service.
note() { echo "$3 $(started "$3")" >"$1/$2.pid"; } # DIR SERVICE PID

# Whether the process that was noted is alive.
alive() { # DIR SERVICE
    local pid since
    read -r pid since 2>/dev/null <"$1/$2.pid" && [ -n "$since" ] && [ "$(started "$pid")" = "$since" ]
}

# Waits until a command succeeds, as long as the service lives.
wait_for() { # DIR SERVICE SECONDS COMMAND...
    local dir=$1 service=$2 deadline=$((SECONDS + $3))
    shift 3
    until "$@" >/dev/null 2>&1; do
        if ! alive "$dir" "$service" || [ $SECONDS -ge $deadline ]; then
            say "$service does not come up; the end of its log:"
            tail -n 30 "$dir/$service.log" >&2 || true
            return 1
        fi
        sleep 0.2
    done
}

stop_one() { # DIR SERVICE SIGNAL
    local pid session
    alive "$1" "$2" || { rm -f "$1/$2.pid"; return 0; }
    read -r pid _ <"$1/$2.pid"
    session=$(ps -o sid= -p "$pid" | tr -d ' ')
    kill "-$3" "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
        alive "$1" "$2" || break
        sleep 0.1
    done
    alive "$1" "$2" && kill -KILL "$pid" 2>/dev/null
    while alive "$1" "$2"; do sleep 0.05; done
    # Each service has a session of its own: a launcher may have left its server behind.
    [ -z "$session" ] || pkill -KILL -s "$session" 2>/dev/null || true
    rm -f "$1/$2.pid"
}

start_one() { # DIR SERVICE: on the port in DIR/SERVICE.port, with what is in DIR/SERVICE
    mkdir -p "$1/$2"
    [ -s "$1/$2.port" ] || free_port "$1" >"$1/$2.port"
    "start_$2" "$1" "$(cat "$1/$2.port")"
}

# Of the user `wasmill` on the listener SASL (PLAIN, no TLS), whose port is in DIR/kafka.sasl.
SASL_PASSWORD=wasmill-secret

# Records are kept for ever: tests write timestamps of long ago, which retention by time would remove at once. Of the
# heap, the cleaner takes 128 MiB unless told otherwise.
start_kafka() { # DIR PORT
    local dir=$1 port=$2 libs=$SERVICES_HOME/kafka-$KAFKA_VERSION/libs
    if [ ! -s "$dir/kafka/server.properties" ]; then
        [ -s "$dir/kafka.sasl" ] || free_port "$dir" >"$dir/kafka.sasl"
        local sasl=127.0.0.1:$(cat "$dir/kafka.sasl")
        cat >"$dir/kafka/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$(free_port "$dir" | tee "$dir/kafka/controller.port")
listeners=PLAINTEXT://127.0.0.1:$port,SASL://$sasl,CONTROLLER://127.0.0.1:$(cat "$dir/kafka/controller.port")
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
listener.name.sasl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_wasmill="$SASL_PASSWORD";
log.cleaner.dedupe.buffer.size=16777216
log.dirs=$dir/kafka/data
num.partitions=4
auto.create.topics.enable=true
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
END
        java -cp "$libs/*" kafka.tools.StorageTool format -t "$(cluster_id)" \
            -c "$dir/kafka/server.properties" >>"$dir/kafka.log" 2>&1
    fi
    setsid java -Xmx512m -Dwasmill.dir="$dir" -cp "$libs/*" kafka.Kafka "$dir/kafka/server.properties" >>"$dir/kafka.log" 2>&1 </dev/null &
    note "$dir" kafka $!
    wait_for "$dir" kafka 180 grep -q "Kafka Server started" "$dir/kafka.log"
    wait_for "$dir" kafka 60 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}

start_redis() { # DIR PORT
    local dir=$1 port=$2
    setsid redis-server --bind 127.0.0.1 --port "$port" --dir "$dir/redis" --appendonly yes --appendfsync no --save '' \
        --logfile "$dir/redis.log" --pidfile "$dir/redis/own.pid" >>"$dir/redis.log" 2>&1 </dev/null &
    note "$dir" redis $!
    wait_for "$dir" redis 20 redis-cli -p "$port" ping
}

# Three brokers of one cluster (replication 3, at least 2 in sync), each a controller too. The port in DIR/brokerN.port
# is for the others and for whoever wants the straight way (listener INSIDE). Where DIR/brokerN.outside says
# "PORT ADVERTISED", there is a second listener on PORT whose clients are sent to ADVERTISED: a proxy's place.
start_broker1() { start_broker 1 "$@"; }
start_broker2() { start_broker 2 "$@"; }
start_broker3() { start_broker 3 "$@"; }

start_broker() { # NUMBER DIR PORT
    local node=$1 dir=$2 port=$3 libs=$SERVICES_HOME/kafka-$KAFKA_VERSION/libs
    local service=broker$node properties=$2/broker$1/server.properties
    if [ ! -s "$properties" ]; then
        # Whoever comes first settles what all share.
        exec 8>"$dir/cluster.lock"
        flock 8
        [ -s "$dir/cluster" ] || echo "$(free_port "$dir") $(free_port "$dir") $(free_port "$dir") $(cluster_id)" >"$dir/cluster"
        flock -u 8
        local controllers id outside advertised
        read -r controllers[1] controllers[2] controllers[3] id <"$dir/cluster"
        local listeners="INSIDE://127.0.0.1:$port" advertise="INSIDE://127.0.0.1:$port"
        if [ -s "$dir/$service.outside" ]; then
            read -r outside advertised <"$dir/$service.outside"
            listeners+=",OUTSIDE://127.0.0.1:$outside" advertise+=",OUTSIDE://127.0.0.1:$advertised"
        fi
        cat >"$properties" <<END
process.roles=broker,controller
node.id=$node
controller.quorum.voters=1@127.0.0.1:${controllers[1]},2@127.0.0.1:${controllers[2]},3@127.0.0.1:${controllers[3]}
listeners=$listeners,CONTROLLER://127.0.0.1:${controllers[$node]}
advertised.listeners=$advertise
controller.listener.names=CONTROLLER
inter.broker.listener.name=INSIDE
listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/$service/data
num.partitions=6
default.replication.factor=3
min.insync.replicas=2
auto.create.topics.enable=true
offsets.topic.replication.factor=3
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=6
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=6000
log.retention.ms=-1
END
        java -cp "$libs/*" kafka.tools.StorageTool format -t "$id" -c "$properties" >>"$dir/$service.log" 2>&1
    fi
    setsid java -Xmx320m -Dwasmill.dir="$dir" -cp "$libs/*" kafka.Kafka "$properties" >>"$dir/$service.log" 2>&1 </dev/null &
    note "$dir" "$service" $!
    wait_for "$dir" "$service" 300 grep -q "Kafka Server started" "$dir/$service.log"
    wait_for "$dir" "$service" 60 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}
