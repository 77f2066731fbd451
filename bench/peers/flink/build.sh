#!/usr/bin/env bash
exec "$(dirname "$0")/../jvm/build.sh" flink "$1"
