# shellcheck shell=bash
# Python: componentize-py, which pip brings. To be sourced, with `root` set.
# shellcheck source=/dev/null
. "$root/scripts/guests/venv.sh"
venv python componentize-py==0.25.1
