#!/usr/bin/env bash
# Flink 1.20 looks into the JDK's own classes.
exec java -Xms768m -Xmx768m -XX:+UseParallelGC -XX:-UsePerfData --add-opens=java.base/java.util=ALL-UNNAMED \
    --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.time=ALL-UNNAMED \
    -cp "$BENCH_BUILT/classes:$BENCH_BUILT/libs/*" Job
