#!/usr/bin/env bash
# Builds this peer into a folder, once per state of its sources. Usage: build.sh OUT
set -euo pipefail
mkdir -p "$1"
out=$(realpath "$1")
cd "$(dirname "$0")"
stamp=$(cat build.sh pom.xml ./*.java | sha256sum)
[ "$(cat "$out/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
command -v javac >/dev/null || { echo "a JDK is missing; on Debian, as root: apt-get install openjdk-17-jdk-headless maven" >&2; exit 1; }
rm -rf "$out/libs" "$out/classes"
mvn -q -B dependency:copy-dependencies -DoutputDirectory="$out/libs" -DincludeScope=runtime >&2
javac -d "$out/classes" -cp "$out/libs/*" ./*.java
echo "$stamp" >"$out/stamp"
