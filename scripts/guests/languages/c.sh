# shellcheck shell=bash
# C: zig's compiler, which pip brings. To be sourced, with `root` set.
# shellcheck source=/dev/null
. "$root/scripts/guests/venv.sh"
venv c ziglang==0.17.1
