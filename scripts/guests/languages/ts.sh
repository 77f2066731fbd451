# shellcheck shell=bash
# TypeScript: as JavaScript. To be sourced, with `root` set.
# shellcheck source=/dev/null
. "$root/scripts/guests/languages/js.sh"
