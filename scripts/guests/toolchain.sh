#!/usr/bin/env bash
# Finds or makes a toolchain that builds Rust modules, and writes the variables that tell cargo (and `wasmill build`)
# of it into a file to be sourced.
#
# 1. The target wasm32-wasip2 of rustup, where it is installed or can be added: what authors use.
# 2. Otherwise Debian's Rust for web browsers (rustc-web, cargo-web, rust-web-src; root needed to install it), which
#    brings the sources of std: std is built for wasm32-unknown-unknown. The host makes components of such modules.
set -euo pipefail

say() { echo "toolchain: $*" >&2; }

env_file=${1:?usage: toolchain.sh ENV_FILE}
mkdir -p "$(dirname "$env_file")"

has_wasip2() { rustup target list --installed 2>/dev/null | grep -qx wasm32-wasip2; }

if has_wasip2 || timeout 60 rustup target add wasm32-wasip2 >&2 2>/dev/null; then
    cat >"$env_file" <<'END'
export CARGO_BUILD_TARGET=wasm32-wasip2
END
    say "rustup's wasm32-wasip2"
    exit 0
fi

packages=(rustc-web cargo-web rust-web-src)
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "no way to build modules here. Do one of: 'rustup target add wasm32-wasip2';" \
            "or, on Debian, as root, 'apt-get install ${packages[*]}'"
        exit 1
    fi
    say "installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends "${packages[@]}" >&2 ||
        { apt-get update >&2 && apt-get install -y --no-install-recommends "${packages[@]}" >&2; }
fi

# Debian's compiler brings no linker for wasm; the one of the rustup toolchain does.
linker=$(find "$(rustc --print sysroot)" -name rust-lld -type f | head -n 1)
[ -n "$linker" ] || linker=$(command -v wasm-ld || true)
[ -n "$linker" ] || { say "no linker for wasm: install lld (apt-get install lld)"; exit 1; }
cat >"$env_file" <<END
export CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
export CARGO_BUILD_TARGET=wasm32-unknown-unknown CARGO_UNSTABLE_BUILD_STD=std,panic_abort
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=-Clinker-flavor=wasm-ld
END
say "Debian's rustc-web, std from source"
