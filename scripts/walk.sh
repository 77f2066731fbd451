#!/usr/bin/env bash
# Walks the page of each language (docs/languages) as somebody new would: with that language's usual tools alone on the
# path and empty caches, from `wasmill new` to a record transformed on a real Kafka. Prints what each step took.
# Usage: walk.sh [rust|go|python|js|ts|c ...], by default all.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/services/lib.sh
. "$root/scripts/services/lib.sh"

[ $# -gt 0 ] || set -- rust go python js ts c
(cd "$root" && cargo build --release --locked -q)
wasmill=${CARGO_TARGET_DIR:-$root/target}/release/wasmill
work=$(mktemp -d -t wasmill-walk.XXXXXX)
# shellcheck disable=SC2329 # called by the trap
leave() {
    [ ! -f "$work/host.pid" ] || kill "$(cat "$work/host.pid")" 2>/dev/null || true
    chmod -R u+w "$work" && rm -rf "$work"
}
trap leave EXIT
eval "$("$root/scripts/services/up.sh" --watch-pid $$ kafka)"
tools() { java -cp "$SERVICES_HOME/kafka-$KAFKA_VERSION/libs/*" "org.apache.kafka.tools.$1" --bootstrap-server "$WASMILL_TEST_KAFKA" "${@:2}" 2>/dev/null; }

# What a language's page asks for, and what every system has.
tools_of() {
    case $1 in
    rust) echo "cargo rustc cc" ;;
    go) echo "go" ;;
    python | c) echo "python3" ;;
    js | ts) echo "node npm npx" ;;
    *) die "no language is called '$1'" ;;
    esac
    echo "sh bash env cat cp mkdir rm ls uname dirname basename sed grep sleep"
}

# The first commands of the page, once for a machine or a project.
install_of() {
    case $1 in
    js | ts) echo "npm install" ;;
    python) echo "python3 -m venv .venv && .venv/bin/pip install -q componentize-py==0.25.1" ;;
    c) echo "python3 -m venv .venv && .venv/bin/pip install -q ziglang==0.17.1" ;;
    esac
}

# A step of a page, in a folder: printed with what it took. FOLDER COMMAND [WHAT TO PRINT]
step() {
    local began
    began=${EPOCHREALTIME/[.,]/}
    (
        cd "$1"
        unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_BUILD_BUILD_DIR RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER
        export PATH=$work/$language.bin XDG_CACHE_HOME=$work/cache npm_config_cache=$work/cache/npm
        # shellcheck source=/dev/null
        [ "$language" != rust ] || . "$work/rust.env"
        eval "$2"
    ) >"$work/said" 2>&1 || { cat "$work/said" >&2; die "$language: '$2' failed"; }
    local tenths=$(((${EPOCHREALTIME/[.,]/} - began) / 100000))
    printf '%-7s%5d.%d s  %s\n' "$language" $((tenths / 10)) $((tenths % 10)) "${3:-$2}"
}

# A host with the project's own pipeline, until it has delivered the record that waits for it.
run_until_delivered() {
    wasmill run pipeline.yaml --data-dir "$work/$language.data" --admin "$admin" &
    echo $! >"$work/host.pid"
    until wasmill --json --host "http://$admin" status errors 2>/dev/null | grep -q '"delivered":1[,}]'; do
        kill -0 "$(cat "$work/host.pid")" || return
        sleep 0.05
    done
}

for language in "$@"; do
    mkdir -p "$work/$language.bin" "$work/$language"
    ln -s "$wasmill" "$work/$language.bin/wasmill"
    # Small programs that start the real ones, which look beside themselves for the rest.
    for tool in $(tools_of "$language"); do
        real=$(command -v "$tool") || die "$tool is missing"
        [ "$tool" != python3 ] || real=$(python3 -c 'import sys; print(sys.executable)')
        printf '#!/bin/sh\nexec %s "$@"\n' "$real" >"$work/$language.bin/$tool"
        chmod +x "$work/$language.bin/$tool"
    done
    [ "$language" != rust ] || "$root/scripts/guests/toolchain.sh" "$work/rust.env" 2>/dev/null

    project=$work/$language/errors admin=127.0.0.1:$(free_port)
    step "$work/$language" "wasmill new $language errors"
    install=$(install_of "$language")
    [ -z "$install" ] || step "$project" "$install"
    step "$project" "wasmill build"
    step "$project" "wasmill test"
    # Each language has topics of its own, on the Kafka of the tests.
    sed -i "s/127.0.0.1:9092/$WASMILL_TEST_KAFKA/; s/errors-/errors-$language-/; s/errors\.dead/errors-$language.dead/" "$project/pipeline.yaml"
    echo "an ERROR in $language" | tools ConsoleProducer --topic "errors-$language-in"
    step "$project" run_until_delivered "wasmill run pipeline.yaml   # until the record is delivered"
    kill "$(cat "$work/host.pid")" && rm "$work/host.pid"
    tools consumer.ConsoleConsumer --topic "errors-$language-out" --from-beginning --max-messages 1 --timeout-ms 20000 |
        grep -x "an ERROR in $language" >/dev/null || die "$language: the record is not in errors-$language-out"
done
