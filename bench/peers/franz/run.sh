#!/usr/bin/env bash
# The collector may let the heap grow: it costs less often then.
export GOGC=400
exec "$BENCH_BUILT/franz"
