#!/usr/bin/env bash
# What Spark's own launcher opens of the JDK (JavaModuleOptions of Spark 3.5).
opens=()
for package in java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util java.util.concurrent \
    java.util.concurrent.atomic jdk.internal.ref sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar; do
    opens+=("--add-opens=java.base/$package=ALL-UNNAMED")
done
exec java -Xms768m -Xmx768m -XX:+UseParallelGC -XX:-UsePerfData "${opens[@]}" -Dlog4j2.level=WARN \
    -cp "$BENCH_BUILT/classes:$BENCH_BUILT/libs/*" Query
