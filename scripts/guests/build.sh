#!/usr/bin/env bash
# Builds every module of guest-examples/ into a folder: one NAME.wasm each, a component or a core module that the host
# makes one of. Usage: build.sh [OUT], by default target/guests. Quick when nothing changed.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/target/guests}
build=$root/target/guests/build
mkdir -p "$out" "$build"

# What is set for the host's build must not reach the guests'.
unset CARGO CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_BUILD_BUILD_DIR RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER

toolchain=$build/toolchain.env
[ -s "$toolchain" ] || "$root/scripts/guests/toolchain.sh" "$toolchain"
# shellcheck source=/dev/null
. "$toolchain"

cd "$root/guest-examples"
export CARGO_TARGET_DIR=$build
built=$build/$CARGO_BUILD_TARGET/release
cargo=("${CARGO:-cargo}" build --release --locked)
# The demo's second version is the same crate with a feature: built first, since both leave their file in one place.
"${cargo[@]}" -p log-clean --features v2 >&2
cmp -s "$built/log_clean.wasm" "$out/log-clean-2.wasm" || cp "$built/log_clean.wasm" "$out/log-clean-2.wasm"
"${cargo[@]}" >&2
for module in "$built"/*.wasm; do
    name=$(basename "$module" .wasm)
    name=${name//_/-}
    cmp -s "$module" "$out/$name.wasm" || cp "$module" "$out/$name.wasm"
done
echo "$out"
