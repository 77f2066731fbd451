#!/usr/bin/env bash
# Builds this peer into a folder. Usage: build.sh OUT
exec "$(dirname "$0")/../jvm/build.sh" mm2 "$1"
