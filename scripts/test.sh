#!/usr/bin/env bash
# Runs every test of the project. Installs what it needs to do so (a toolchain for wasm modules), and needs Rust, a C
# compiler, make and perl. The second run does only what changed.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/guests/build.sh
# One profile for tests and binaries: nothing is built twice.
cargo build --release --locked --workspace
cargo test --release --locked --workspace "$@"
