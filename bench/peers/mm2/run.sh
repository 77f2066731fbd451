#!/usr/bin/env bash
# MirrorMaker's source connector in standalone Connect, with one task. It names its output after a prefix and the topic,
# so a transformation of Connect's own gives it the name that is asked for.
set -euo pipefail
cat >"$BENCH_FOLDER/worker.properties" <<END
bootstrap.servers=$BENCH_BROKERS
key.converter=org.apache.kafka.connect.converters.ByteArrayConverter
value.converter=org.apache.kafka.connect.converters.ByteArrayConverter
offset.storage.file.filename=$BENCH_FOLDER/offsets
listeners=http://127.0.0.1:0
connector.client.config.override.policy=All
END
cat >"$BENCH_FOLDER/connector.properties" <<END
name=$BENCH_GROUP
connector.class=org.apache.kafka.connect.mirror.MirrorSourceConnector
tasks.max=1
topics=$BENCH_INPUT
source.cluster.alias=source
target.cluster.alias=target
source.cluster.bootstrap.servers=$BENCH_BROKERS
target.cluster.bootstrap.servers=$BENCH_BROKERS
replication.policy.class=org.apache.kafka.connect.mirror.DefaultReplicationPolicy
replication.factor=1
offset-syncs.topic.replication.factor=1
emit.heartbeats.enabled=false
sync.topic.acls.enabled=false
sync.topic.configs.enabled=false
transforms=name
transforms.name.type=org.apache.kafka.connect.transforms.RegexRouter
transforms.name.regex=.*
transforms.name.replacement=$BENCH_OUTPUTS
source.consumer.auto.offset.reset=earliest
source.consumer.max.poll.records=10000
source.consumer.max.partition.fetch.bytes=4194304
source.consumer.fetch.max.wait.ms=50
source.consumer.receive.buffer.bytes=1048576
producer.override.batch.size=1000000
producer.override.linger.ms=$BENCH_LINGER_MS
producer.override.buffer.memory=134217728
producer.override.max.request.size=8388608
producer.override.compression.type=$BENCH_CODEC
END
exec java -Xms512m -Xmx512m -XX:+UseParallelGC -XX:-UsePerfData -cp "$BENCH_BUILT/libs/*" \
    org.apache.kafka.connect.cli.ConnectStandalone "$BENCH_FOLDER/worker.properties" "$BENCH_FOLDER/connector.properties"
