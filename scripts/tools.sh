#!/usr/bin/env bash
# Installs what `just check` needs besides Rust itself, at a pinned version. Quick where it is there.
set -euo pipefail

CARGO_DENY=0.20.2

[ "$(cargo deny --version 2>/dev/null)" = "cargo-deny $CARGO_DENY" ] || cargo install --locked "cargo-deny@$CARGO_DENY"
