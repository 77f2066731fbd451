# shellcheck shell=bash
# JavaScript: Node.js, and npm for the packages of the project that is built: `folder`, or the current one. To be sourced,
# with `root` set.
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "js: Node.js is missing: 'apt-get install nodejs npm', or https://nodejs.org" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends nodejs npm >&2 ||
        { apt-get update >&2 && apt-get install -y --no-install-recommends nodejs npm >&2; }
fi
# Quick when nothing is missing; packages that were fetched before are taken from npm's cache.
npm install --prefix "${folder:-$PWD}" --prefer-offline --no-audit --no-fund --no-progress --loglevel=error >&2
