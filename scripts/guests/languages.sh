#!/usr/bin/env bash
# Builds the conformance guests of all languages but Rust (build.sh builds those): for each folder
# tests/conformance/guests/NAME, `wasmill build` and a file conformance-NAME.wasm. NAME is a language, or
# LANGUAGE-records for the other world. Usage: languages.sh [OUT], by default target/guests. Quick when nothing changed.
#
# languages/LANGUAGE.sh is sourced first, with `root` set: it installs what its toolchain lacks, through package
# registries alone, and exports what `wasmill build` needs to find it. Tests that build projects source it too.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/target/guests}
wasmill=${WASMILL:-$root/target/release/wasmill}
[ -x "$wasmill" ] || { echo "languages: $wasmill is not there: cargo build --release -p wasmill" >&2; exit 1; }
mkdir -p "$out"

for folder in "$root"/tests/conformance/guests/*/; do
    [ -d "$folder" ] || continue
    name=$(basename "$folder")
    language=${name%-records}
    setup=$root/scripts/guests/languages/$language.sh
    [ -f "$setup" ] || { echo "languages: $setup is missing: how is the toolchain of $language installed?" >&2; exit 1; }
    module=$out/conformance-$name.wasm
    # What it is made of: itself, its SDK, its toolchain. What builds leave behind does not count.
    changed=$(find "$folder" "$root/sdk/$language" "$setup" "$root/wit" \
        \( -name node_modules -o -name target -o -name '.venv' -o -name build -o -name dist -o -name __pycache__ \) -prune \
        -o -type f ! -name '*.wasm' -newer "$module" -print -quit 2>/dev/null || true)
    if [ -f "$module" ] && [ -z "$changed" ]; then
        continue
    fi
    echo "languages: $name" >&2
    (
        # shellcheck source=/dev/null
        . "$setup"
        "$wasmill" build "$folder" >&2
    )
    built=$(find "$folder" -maxdepth 1 -name '*.wasm' | head -n 1)
    [ -n "$built" ] || { echo "languages: $name: the build left no .wasm file" >&2; exit 1; }
    mv "$built" "$module"
done
echo "$out"
