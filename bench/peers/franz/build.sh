#!/usr/bin/env bash
# Builds this peer into a folder. Usage: build.sh OUT
set -euo pipefail
mkdir -p "$1"
out=$(realpath "$1")
cd "$(dirname "$0")"
command -v go >/dev/null || { echo "Go is missing: https://go.dev/dl" >&2; exit 1; }
GOFLAGS=-mod=readonly go build -o "$out/franz" .
