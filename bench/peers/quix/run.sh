#!/usr/bin/env bash
here=$(dirname "$(realpath "$0")")
exec "$BENCH_BUILT/venv/bin/python" "$here/loop.py"
