#!/usr/bin/env bash
# Builds what each language is tested and measured by:
# - conformance-NAME.wasm of each folder tests/conformance/guests/NAME, where NAME is a language, or LANGUAGE-records for
#   the other world. Rust's are in guest-examples, and build.sh builds them.
# - log-clean-LANGUAGE.wasm, of the project that `wasmill new LANGUAGE log-clean --template log-clean` makes.
# Usage: languages.sh [OUT], by default target/guests. Quick when nothing changed.
#
# languages/LANGUAGE.sh is sourced first, with `root` set: it installs what its toolchain lacks, through package
# registries alone, and exports what `wasmill build` needs to find it. Tests that build projects source it too.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/target/guests}
wasmill=${WASMILL:-${CARGO_TARGET_DIR:-$root/target}/release/wasmill}
[ -x "$wasmill" ] || { echo "languages: $wasmill is not there: cargo build --release" >&2; exit 1; }
mkdir -p "$out"

# Languages whose SDK is another's.
declare -A SDK_OF=([ts]=js)

sdk() { echo "$root/sdk/${SDK_OF[$1]:-$1}"; }

# Whether a module is older than what it is made of, or not there. What builds leave behind does not count.
stale() {
    local module=$1
    shift
    [ -f "$module" ] || return 0
    local changed
    changed=$(find "$@" \
        \( -name node_modules -o -name target -o -name '.venv' -o -name build -o -name dist -o -name __pycache__ \) -prune \
        -o -type f ! -name '*.wasm' -newer "$module" -print -quit)
    [ -n "$changed" ]
}

# Builds the project in a folder in the language's surroundings, and puts its module where it belongs.
build() {
    local language=$1 folder=$2 module=$3
    echo "languages: $(basename "$module")" >&2
    (
        # What is set for the host's build must not reach the guests'.
        unset CARGO CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_BUILD_BUILD_DIR RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER
        # shellcheck source=/dev/null
        . "$root/scripts/guests/languages/$language.sh"
        "$wasmill" build "$folder" >&2
    )
    local built
    built=$(find "$folder" -maxdepth 1 -name '*.wasm' | head -n 1)
    [ -n "$built" ] || { echo "languages: the build of $folder left no .wasm file" >&2; exit 1; }
    mv "$built" "$module"
}

for folder in "$root"/tests/conformance/guests/*/; do
    [ -d "$folder" ] || continue
    name=$(basename "$folder")
    language=${name%-records}
    setup=$root/scripts/guests/languages/$language.sh
    [ -f "$setup" ] || { echo "languages: $setup is missing: how is the toolchain of $language installed?" >&2; exit 1; }
    module=$out/conformance-$name.wasm
    if stale "$module" "$folder" "$(sdk "$language")" "$root/wit" "$setup"; then
        build "$language" "$folder" "$module"
    fi
done

for setup in "$root"/scripts/guests/languages/*.sh; do
    language=$(basename "$setup" .sh)
    module=$out/log-clean-$language.wasm
    if stale "$module" "$root/sdk/template" "$(sdk "$language")" "$root/wit" "$setup"; then
        projects=$(mktemp -d)
        (cd "$projects" && "$wasmill" new "$language" log-clean --template log-clean >&2)
        build "$language" "$projects/log-clean" "$module"
        rm -r "$projects"
    fi
done
echo "$out"
