# Maxwell of Zendesk, from Maven: reads the binlog of the folder's MariaDB and writes each row change to the folder's
# Kafka, to the topic `maxwell-DATABASE`, keyed and partitioned by primary key. Sourced by lib.sh.
# shellcheck shell=bash

MAXWELL_VERSION=1.22.6

# Two things stand in its way. Its client of Kafka is older than what Kafka 4 speaks to: the broker's own version takes
# its place. And it names a class of Nashorn, which Java has no more; it is used for filters in JavaScript alone, so an
# empty one will do.
install_maxwell() {
    local home=$SERVICES_HOME/maxwell-$MAXWELL_VERSION work
    [ -e "$home/complete" ] && return
    packages java openjdk-17-jre-headless
    packages mvn maven
    say "fetching Maxwell $MAXWELL_VERSION"
    work=$(mktemp -d)
    cat >"$work/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>wasmill</groupId><artifactId>maxwell-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.zendesk</groupId><artifactId>maxwell</artifactId><version>$MAXWELL_VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-clients</artifactId><version>$KAFKA_VERSION</version></dependency>
  </dependencies>
</project>
END
    rm -rf "$home"
    (cd "$work" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$home/libs") >&2
    rm -rf "$work"
    empty_class "$home/stub" jdk/nashorn/api/scripting/ScriptObjectMirror
    touch "$home/complete"
}

# `public class NAME {}`, compiled: there is no compiler in a JRE. JVMS chapter 4 tells the bytes.
empty_class() { # FOLDER NAME
    mkdir -p "$1/$(dirname "$2")"
    python3 - "$2" >"$1/$2.class" <<'END'
import struct, sys
utf8 = lambda text: b"\x01" + struct.pack(">H", len(text)) + text.encode()
of = lambda index: b"\x07" + struct.pack(">H", index)
constants = [of(2), utf8(sys.argv[1]), of(4), utf8("java/lang/Object")]
head = b"\xca\xfe\xba\xbe" + struct.pack(">HHH", 0, 52, len(constants) + 1)
sys.stdout.buffer.write(head + b"".join(constants) + struct.pack(">HHHHHHH", 0x21, 1, 3, 0, 0, 0, 0))
END
}

# Where it stands in the binlog it keeps in the database, so a restart goes on where it was. Its port answers `/ping`
# and tells its metrics. Its producer is not idempotent: one that meets a topic which is being made can be refused for the
# order of its sequence numbers ever after (OUT_OF_ORDER_SEQUENCE_NUMBER). One request at a time keeps the order.
start_maxwell() { # DIR PORT
    local dir=$1 port=$2 home=$SERVICES_HOME/maxwell-$MAXWELL_VERSION
    { [ -s "$dir/kafka.port" ] && [ -s "$dir/mariadb.port" ]; } || die "maxwell needs kafka and mariadb beside it"
    sql "$dir" "CREATE USER IF NOT EXISTS maxwell@'127.0.0.1' IDENTIFIED BY 'maxwell';
        GRANT ALL ON maxwell.* TO maxwell@'127.0.0.1';
        GRANT SELECT, REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO maxwell@'127.0.0.1';"
    cat >"$dir/maxwell/config.properties" <<END
host=127.0.0.1
port=$(cat "$dir/mariadb.port")
user=maxwell
password=maxwell
producer=kafka
kafka.bootstrap.servers=127.0.0.1:$(cat "$dir/kafka.port")
kafka.acks=all
kafka.enable.idempotence=false
kafka.max.in.flight.requests.per.connection=1
kafka.linger.ms=5
kafka_topic=maxwell-%{database}
ddl_kafka_topic=maxwell-ddl
producer_partition_by=primary_key
output_ddl=true
output_binlog_position=true
output_xoffset=true
output_primary_key_columns=true
metrics_type=http
metrics_http_port=$port
http_bind_address=127.0.0.1
END
    setsid java -Xmx256m -Dwasmill.dir="$dir" -cp "$home/stub:$home/libs/*" com.zendesk.maxwell.Maxwell \
        --config="$dir/maxwell/config.properties" \
        >>"$dir/maxwell.log" 2>&1 </dev/null &
    note "$dir" maxwell $!
    wait_for "$dir" maxwell 120 grep -q "Binlog connected" "$dir/maxwell.log"
}
