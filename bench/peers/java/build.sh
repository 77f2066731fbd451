#!/usr/bin/env bash
exec "$(dirname "$0")/../jvm/build.sh" java "$1"
