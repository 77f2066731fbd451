# shellcheck shell=bash
# Rust: rustup's target, or Debian's compiler; ../toolchain.sh knows. To be sourced, with `root` set.
toolchain=$root/target/guests/build/toolchain.env
[ -s "$toolchain" ] || "$root/scripts/guests/toolchain.sh" "$toolchain"
# shellcheck source=/dev/null
. "$toolchain"
# What is compiled besides a project itself is kept.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/guests/build}
