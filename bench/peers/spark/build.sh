#!/usr/bin/env bash
exec "$(dirname "$0")/../jvm/build.sh" spark "$1"
