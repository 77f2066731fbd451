//! The conformance suite: every case of `tests/conformance/cases` through the guest of every language, and the table
//! `docs/conformance.md` made of what came out.
//!
//! Guests are built by `scripts/guests/build.sh` (Rust) and `scripts/guests/languages.sh` (the others). One that is
//! listed here and not built is a failure: nothing passes because it was not there.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod case;
mod run;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::path::{Path, PathBuf};

use case::Case;
use support::{Host, host};
use wasmill::engine::World;

/// A guest that must be there.
pub struct Guest {
    pub language: &'static str,
    /// Of its file: `target/guests/FILE.wasm`.
    pub file: &'static str,
    pub world: World,
}

/// Grows as languages land, in the order of the table.
const GUESTS: &[Guest] = &[
    Guest { language: "Rust", file: "conformance", world: World::Columns },
    Guest { language: "Rust", file: "conformance-records", world: World::Records },
    Guest { language: "Go", file: "conformance-go", world: World::Columns },
    Guest { language: "Go", file: "conformance-go-records", world: World::Records },
    Guest { language: "JavaScript", file: "conformance-js", world: World::Columns },
    Guest { language: "TypeScript", file: "conformance-ts", world: World::Columns },
    Guest { language: "C", file: "conformance-c", world: World::Columns },
    Guest { language: "Python", file: "conformance-python", world: World::Columns },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cases() -> Vec<Case> {
    let cases = Case::all(&root().join("tests/conformance/cases"));
    assert!(cases.len() > 40, "only {} cases were found", cases.len());
    cases
}

/// What became of each case: nothing where the case is not for the guest's world.
type Column = Vec<Option<bool>>;

fn column(host: &Host, guest: &Guest, cases: &[Case], found: &mut Vec<String>) -> Column {
    let module = host.load(guest.file);
    assert_eq!(module.world(), guest.world, "{}", guest.file);
    assert!(module.description().name.starts_with("conformance-"), "{}: {:?}", guest.file, module.description());
    let judge = |case: &Case| {
        case.is_for(guest.world).then(|| {
            let differences = run::differences(case, &module);
            let place = format!("{}, {}", case.name, guest.file);
            if case.except.contains_key(guest.file) {
                if differences.is_empty() {
                    found.push(format!("{place}: it answers as expected: take it out of the case's `except`"));
                }
                return false;
            }
            found.extend(differences.iter().map(|difference| format!("{place}: {difference}")));
            differences.is_empty()
        })
    };
    cases.iter().map(judge).collect()
}

#[test]
fn every_language_answers_alike() {
    let (host, cases, mut found) = (host(), cases(), Vec::new());
    let columns: Vec<Column> = GUESTS.iter().map(|guest| column(&host, guest, &cases, &mut found)).collect();
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
    table::golden(&root().join("docs/conformance.md"), &table::render(GUESTS, &cases, &columns));
}

#[test]
fn no_guest_is_built_that_nobody_expects() {
    let folder = root().join("target/guests");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".wasm").filter(|name| name.starts_with("conformance")) else { continue };
        assert!(GUESTS.iter().any(|guest| guest.file == name), "{name}.wasm is built and not in `GUESTS`: add it");
    }
}

/// A runner that sees no difference would be green for ever.
#[test]
fn a_difference_is_said_by_row_and_field() {
    let host = host();
    let module = host.load("conformance");
    let rows = r#""batch": {"rows": [{"value": "a"}, {"key": "k", "value": "b", "headers": [["h", null]]}]}"#;
    let said = |what: &str, expect: &str| {
        let text = format!(r#"{{"about": "spoilt", "config": {{"do": "{what}"}}, {rows}, "expect": {expect}}}"#);
        run::differences(&Case::parse("spoilt", &text).expect("a case"), &module)
    };
    let spoilt = [
        ("keep", r#"{"records": [{"row": 0}]}"#, "2 records, expected 1"),
        (
            "keep",
            r#"{"records": [{"row": 0}, {"row": 1, "value": "B"}]}"#,
            r#"record 1 (row 1): value is "b", expected "B""#,
        ),
        (
            "keep",
            r#"{"records": [{"row": 0, "key": ""}, {"row": 1}]}"#,
            r#"record 0 (row 0): key is null, expected """#,
        ),
        (
            "keep",
            r#"{"records": [{"row": 0}, {"row": 1, "headers": []}]}"#,
            r#"record 1 (row 1): headers is ["h"=null], expected []"#,
        ),
        ("keep", r#"{"records": [{"row": 0, "version": 1}, {"row": 1}]}"#, "version is None, expected Some(1)"),
        ("keep", r#"{"records": [{"row": 0, "op": "merge"}, {"row": 1}]}"#, "op is put, expected merge"),
        ("keep", r#"{"records": [{"row": 0, "route": "in"}, {"row": 1}]}"#, "route is out, expected in"),
        ("keep", r#"{"records": [{"row": 0, "timestamp": 1}, {"row": 1}]}"#, "timestamp is 0, expected 1"),
        ("keep", r#"{"records": {"all": true}, "rejects": [{"row": 0, "reason": "x"}]}"#, r#"expected Some((0, "x"))"#),
        ("keep", r#"{"retry": "x"}"#, r#"2 records; expected a retry with "x""#),
        ("fatal", r#"{"records": []}"#, "the guest stopped: stop: a; expected 0 records"),
        ("dance", r#"{"records": []}"#, "it does not start: it refuses its config: do: unknown: dance"),
        (
            "keep",
            r#"{"records": {"all": true}, "said": {"lines": ["info: x"]}}"#,
            r#"expected Said { lines: ["info: x"]"#,
        ),
    ];
    for (what, expect, words) in spoilt {
        let found = said(what, expect);
        assert!(found.iter().any(|found| found.contains(words)), "{expect}: {found:?} does not say {words:?}");
    }
    assert_eq!(said("keep", r#"{"records": {"all": true}}"#), Vec::<String>::new());
}
