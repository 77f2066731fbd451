#!/usr/bin/env bash
# Two cores: the parallel collector is the one that costs least. The heap is fixed, so that it is not resized.
exec java -Xms512m -Xmx512m -XX:+UseParallelGC -XX:+AlwaysPreTouch -XX:-UsePerfData -cp "$BENCH_BUILT/classes:$BENCH_BUILT/libs/*" Loop
