#!/usr/bin/env bash
# Runs every test of the project. Needs Rust, a C compiler, make and perl; installs the rest where it is missing: a
# toolchain for wasm modules, valgrind, and real Kafka, Elasticsearch, Redis, MariaDB and Maxwell for the end-to-end
# tests. The second run does only what changed.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/guests/build.sh
scripts/services/install.sh kafka elasticsearch redis secured mariadb maxwell
# One profile for tests and binaries: nothing is built twice.
cargo build --release --locked --workspace
scripts/guests/languages.sh
cargo test --release --locked --workspace "$@"
# The hot path takes no more instructions than its baseline allows.
scripts/valgrind.sh
"${CARGO_TARGET_DIR:-target}/release/wasmill-bench" counts
(
    root=$PWD folder=$PWD/sdk/js
    # shellcheck source=/dev/null
    . scripts/guests/languages/js.sh
    npm --prefix sdk/js run check
    npm --prefix sdk/js test
)
