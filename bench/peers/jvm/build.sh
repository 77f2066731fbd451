#!/usr/bin/env bash
# Builds a peer that runs on the JVM into a folder, once per state of its sources: its own pom.xml and classes, and what
# all of them do with a value (Work.java). Usage: build.sh PEER OUT, where PEER is a folder beside this one.
set -euo pipefail
mkdir -p "$2"
out=$(realpath "$2")
cd "$(dirname "$0")/../$1"
shopt -s nullglob
sources=(./*.java)
[ ${#sources[@]} -eq 0 ] || sources+=(../jvm/Work.java)
stamp=$(cat ../jvm/build.sh pom.xml "${sources[@]}" | sha256sum)
[ "$(cat "$out/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
command -v javac >/dev/null || { echo "a JDK is missing; on Debian, as root: apt-get install openjdk-17-jdk-headless maven" >&2; exit 1; }
rm -rf "$out/libs" "$out/classes"
mvn -q -B dependency:copy-dependencies -DoutputDirectory="$out/libs" -DincludeScope=runtime >&2
[ ${#sources[@]} -eq 0 ] || javac -d "$out/classes" -cp "$out/libs/*" "${sources[@]}"
echo "$stamp" >"$out/stamp"
