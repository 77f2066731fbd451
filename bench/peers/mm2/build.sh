#!/usr/bin/env bash
exec "$(dirname "$0")/../jvm/build.sh" mm2 "$1"
