#!/usr/bin/env bash
# A dry run of publishing sdk/go. A Go module is published by a tag, `git tag sdk/go/vVERSION`, which proxies turn into an
# archive; this makes the same archive of the last commit, serves it as a proxy from a folder, and builds a module with it
# as a stranger would. Usage: publish-go.sh [VERSION], by default that of Cargo.toml. Nothing leaves this machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

module=github.com/wasmill/wasmill/sdk/go
version=v${1:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)}
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

proxy=$work/proxy/$module/@v
mkdir -p "$proxy"
# What is a module of its own is not part of this one.
git archive --format=zip --prefix="$module@$version/" -o "$proxy/$version.zip" HEAD:sdk/go . ':(exclude)examples'
git show HEAD:sdk/go/go.mod >"$proxy/$version.mod"
printf '{"Version":"%s"}\n' "$version" >"$proxy/$version.info"
echo "$version" >"$proxy/list"

mkdir "$work/stranger"
git show HEAD:sdk/go/examples/filter/main.go >"$work/stranger/main.go"
cd "$work/stranger"
export GOPROXY=file://$work/proxy GONOSUMDB=$module GOFLAGS=-modcacherw GOMODCACHE=$work/cache
"${GO:-go}" mod init stranger
"${GO:-go}" get "$module@$version"
"${GO:-go}" vet ./...
"${GO:-go}" doc "$module" Module >/dev/null
GOOS=wasip1 GOARCH=wasm "${GO:-go}" build -buildmode=c-shared -o stranger.wasm .
echo "$module $version: $(stat -c %s "$proxy/$version.zip") bytes, and a stranger builds with it"
