#!/usr/bin/env bash
# Installs this peer into a folder, once per version. Usage: build.sh OUT
set -euo pipefail
mkdir -p "$1"
out=$(realpath "$1")
cd "$(dirname "$0")"
stamp=$(cat build.sh requirements.txt | sha256sum)
[ "$(cat "$out/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
python3 -m venv --clear "$out/venv"
"$out/venv/bin/pip" install -q --disable-pip-version-check -r requirements.txt >&2
echo "$stamp" >"$out/stamp"
