//! Conventions as tests: which module may know which, where foreign crates may be named, how long a file may be.
//!
//! The table is the architecture. An arrow that is not in it is a design decision: change ARCHITECTURE.md with it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Modules of the host, and what each may import from the crate. From the bottom up.
const LAYERS: [(&str, &[&str]); 23] = [
    ("columns", &[]),
    ("limits", &[]),
    ("contact", &[]),
    ("redis_client", &[]),
    ("batch", &["columns"]),
    ("output", &["batch", "columns"]),
    ("config", &["limits", "output"]),
    ("kafka", &["batch", "output"]),
    ("direct", &["batch", "kafka", "output"]),
    ("engine", &["batch", "columns", "limits", "output"]),
    ("grants", &["config", "contact", "engine", "redis_client"]),
    ("router", &["output"]),
    ("source", &["batch", "direct", "kafka"]),
    ("sink", &["batch", "columns", "config", "contact", "direct", "kafka", "output", "redis_client"]),
    (
        "pipeline",
        &[
            "batch", "config", "contact", "direct", "engine", "grants", "kafka", "limits", "output", "router", "sink",
            "source",
        ],
    ),
    ("control", &["batch", "config", "engine", "grants", "limits", "output", "pipeline"]),
    ("admin", &["config", "control", "pipeline"]),
    ("demo", &["batch", "config", "control", "direct", "engine", "kafka", "output", "source"]),
    ("verify", &["batch", "kafka"]),
    ("cli", &["admin", "config", "control", "demo", "engine", "limits", "verify"]),
    ("lib", &[]),
    ("main", &[]),
    ("tests", &[]),
];

/// Crates that only some folders may name.
const CONFINED: [(&str, &[&str]); 15] = [
    ("wasmtime", &["engine"]),
    ("wasmtime_wasi", &["engine"]),
    ("wit_component", &["engine"]),
    ("rdkafka", &["kafka"]),
    ("rdkafka_sys", &["kafka"]),
    ("crc32c", &["direct"]),
    ("flate2", &["direct"]),
    ("socket2", &["direct"]),
    ("lz4_flex", &["direct"]),
    ("snap", &["direct"]),
    ("zstd", &["direct"]),
    ("elasticsearch", &["sink"]),
    ("redis", &["sink", "grants", "redis_client"]),
    ("rusqlite", &["control"]),
    ("croner", &["config"]),
];

/// Files that may hold `unsafe`: librdkafka's C interface, and the call that loads compiled code.
const UNSAFE: [&str; 2] = ["kafka/", "engine/artifact.rs"];

const LINES_MAX: usize = 500;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    files_of(folder, &["rs"], found);
}

fn files_of(folder: &Path, kinds: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_of(&path, kinds, found);
        } else if path.extension().is_some_and(|kind| kinds.iter().any(|one| kind == *one)) {
            found.push(path);
        }
    }
}

struct Source {
    /// Relative to `host/src`.
    name: String,
    /// First part of the name: the module of the crate.
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("below src").display().to_string();
        let module = name.split(['/', '.']).next().unwrap_or_default().to_owned();
        Source { module, text: fs::read_to_string(&path).expect("text"), name }
    };
    paths.into_iter().map(read).collect()
}

/// Modules named after `crate::`, also in braces.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for (at, _) in code.match_indices("crate::") {
        if at > 0 && code.as_bytes()[at - 1] == b'$' {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let Some(inside) = rest.strip_prefix('{') else {
            found.extend(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut begin = true;
        for (index, character) in inside.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begin = true,
                character if begin && !character.is_whitespace() => {
                    found.extend(name(&inside[index..]));
                    begin = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
    (!name.is_empty() && name.starts_with(char::is_lowercase)).then_some(name)
}

#[test]
fn modules_know_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for source in sources() {
        let allowed = LAYERS.iter().find(|(module, _)| *module == source.module);
        let Some((_, allowed)) = allowed else {
            wrong.push(format!("{}: module `{}` is not in the table", source.name, source.module));
            continue;
        };
        for import in imports(&source.text) {
            if import != source.module && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{}: `{}` must not know `{import}`", source.name, source.module));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_points_down_only() {
    for (index, (module, allowed)) in LAYERS.iter().enumerate() {
        for below in *allowed {
            let place = LAYERS.iter().position(|(other, _)| other == below).expect("in the table");
            assert!(place < index, "`{module}` points up to `{below}`");
        }
    }
}

#[test]
fn foreign_crates_are_named_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (foreign, modules) in CONFINED {
            let named = [format!("{foreign}::"), format!("use {foreign} "), format!("use {foreign};")];
            let names = source.text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
                named.iter().any(|named| {
                    line.match_indices(named.as_str()).any(|(at, _)| {
                        let before = line[..at].chars().next_back();
                        !before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':')
                    })
                })
            });
            if names && !modules.contains(&source.module.as_str()) {
                wrong.push(format!("{}: names `{foreign}`, which belongs to {}", source.name, modules.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stays_where_it_is_accounted_for() {
    for source in sources() {
        let unsafe_code = source.text.lines().any(|line| {
            let line = line.split("//").next().unwrap_or_default();
            line.contains("unsafe {") || line.contains("unsafe fn") || line.contains("unsafe impl")
        });
        let allowed = UNSAFE.iter().any(|place| source.name.starts_with(place));
        assert!(!unsafe_code || allowed, "{}: unsafe code outside {}", source.name, UNSAFE.join(", "));
    }
}

#[test]
fn files_can_be_read_in_one_sitting_and_say_what_they_are_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = Vec::new();
    for folder in ["host/src", "host/tests", "sdk", "guest-examples", "tests", "bench"] {
        let folder = root.join(folder);
        if folder.exists() {
            files(&folder, &mut paths);
        }
    }
    for path in paths.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "target")) {
        let text = fs::read_to_string(path).expect("text");
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{}: {lines} lines, {LINES_MAX} are the limit", path.display());
        let is_test = path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
        let header = text.lines().find(|line| !line.is_empty()).is_some_and(|line| line.starts_with("//!"));
        assert!(header || is_test, "{}: has no `//!` header", path.display());
    }
}

/// The C SDK is one header, which people copy (ADR 0009): it is not among these.
#[test]
fn files_of_other_languages_can_be_read_in_one_sitting_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = Vec::new();
    for folder in ["sdk", "tests/conformance", "bench", "scripts"] {
        files_of(&root.join(folder), &["go", "js", "mjs", "ts", "py", "c", "java", "sh"], &mut paths);
    }
    assert!(paths.iter().any(|path| path.ends_with("jsonedit/object.go")));
    let made = ["target", "node_modules", "dist", "build"];
    for path in paths.iter().filter(|path| !path.iter().any(|part| made.iter().any(|made| part == *made))) {
        let lines = fs::read(path).expect("a file").iter().filter(|byte| **byte == b'\n').count();
        assert!(lines <= LINES_MAX, "{}: {lines} lines, {LINES_MAX} are the limit", path.display());
    }
}

#[test]
fn log_lines_are_lowercase_fragments() {
    for source in sources() {
        for level in ["error!(", "warn!(", "info!(", "debug!("] {
            for (at, _) in source.text.match_indices(&format!("tracing::{level}")) {
                let call = &source.text[at..];
                let call = &call[..call.find(");").unwrap_or(call.len())];
                let Some(message) = call.rsplit_once('"').and_then(|(rest, _)| rest.rsplit_once('"')) else { continue };
                let message = message.1;
                let upper = message.chars().next().is_some_and(char::is_uppercase);
                assert!(!upper && !message.ends_with('.'), "{}: log line {message:?}", source.name);
            }
        }
    }
}
