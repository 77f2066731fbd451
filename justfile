# The door for people who work on Wasmill. `just` alone lists the recipes.

default:
    @just --list

# see it work: an embedded Kafka, a module, and a swap while records flow
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# start an example against real servers and see what it does: log-es, topic-dump, double-write, binlog-router, binlog-sync, tracking
try EXAMPLE *ARGS:
    scripts/try.sh {{EXAMPLE}} {{ARGS}}

# walk the page of each language from `wasmill new` to a record on a real Kafka, with the time of each step
walk *LANGUAGES:
    scripts/walk.sh {{LANGUAGES}}

# every test, with everything it needs
test *ARGS:
    scripts/test.sh {{ARGS}}

# format, lints, supply chain, docs and conventions
check:
    cargo fmt --all --check
    cd guest-examples && cargo fmt --all --check
    test -z "$(gofmt -l sdk/go tests/conformance/guests)" || { gofmt -l sdk/go tests/conformance/guests; exit 1; }
    cargo clippy --release --workspace --all-targets --locked -- -D warnings
    scripts/tools.sh
    cargo deny --locked check --hide-inclusion-graph bans licenses sources
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps --document-private-items --locked
    cargo test --release --workspace --locked --test tidy

# known vulnerabilities of what we depend on; fetches the database of RustSec
advisories:
    scripts/tools.sh
    cargo deny --locked check advisories

# build the modules of guest-examples, and put the demo's two into the binary
guests:
    scripts/guests/build.sh
    cp target/guests/log-clean.wasm host/modules/log-clean-1.wasm
    cp target/guests/log-clean-2.wasm host/modules/log-clean-2.wasm

# pack the SDKs as their registries want them, and build from what was packed; nothing is published
publish-dry-run:
    scripts/publish.sh

# write golden files anew: read their diff before you commit it
golden:
    UPDATE_GOLDEN=1 cargo test --release --workspace --locked --lib --test openapi --test contract --test conformance

# prove it: faults strike real servers and hosts, and every record is looked for; `just chaos --minutes 30 --faults 300`
chaos *ARGS:
    scripts/guests/build.sh
    cargo build --release --locked --workspace
    "${CARGO_TARGET_DIR:-target}/release/chaos" {{ARGS}}

# measure: everything that docs/performance.md shows (an hour and a half), or one bench: `just bench boundary`; see bench/README.md
bench *ARGS="all":
    cargo build --release --locked --workspace
    scripts/guests/build.sh
    case "{{ARGS}}" in all* | languages*) scripts/guests/languages.sh ;; esac
    "${CARGO_TARGET_DIR:-target}/release/wasmill-bench" {{ARGS}}
