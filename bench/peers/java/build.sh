#!/usr/bin/env bash
# Builds this peer into a folder. Usage: build.sh OUT
exec "$(dirname "$0")/../jvm/build.sh" java "$1"
