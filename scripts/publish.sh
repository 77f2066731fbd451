#!/usr/bin/env bash
# A dry run of publishing the SDKs: each is packed as its registry wants it, checked, and built from what was packed.
# Nothing leaves this machine. To publish, at the tag of a version:
#   cargo publish -p wasmill-sdk -p wasmill-cdc
#   npm publish ./sdk/js
#   python3 -m build sdk/python && twine upload sdk/python/dist/*
#   git tag sdk/go/vVERSION && git push origin sdk/go/vVERSION      # for Go, the tag is all
# The SDK for C is one header, which `wasmill new c` brings with it.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo publish --dry-run --locked -p wasmill-sdk -p wasmill-cdc

npm pack ./sdk/js --pack-destination "$work" >/dev/null
mkdir "$work/stranger"
(
    cd "$work/stranger"
    npm init -y >/dev/null
    npm install --silent --no-audit --no-fund "$work"/wasmill-sdk-*.tgz
    node --input-type=module -e 'import * as sdk from "@wasmill/sdk"; if (!Object.keys(sdk).length) process.exit(1)'
)
echo "$(basename "$work"/wasmill-sdk-*.tgz): packed, installed and imported"

# shellcheck source=scripts/guests/venv.sh
. scripts/guests/venv.sh
venv publish build==1.6.1 twine==7.0.0
python3 -m build --outdir "$work/dist" sdk/python >/dev/null
twine check --strict "$work"/dist/*
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "$work"/dist/*.whl
"$work/venv/bin/python" -c 'import wasmill'

scripts/guests/publish-go.sh
