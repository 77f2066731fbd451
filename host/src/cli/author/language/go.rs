//! Go's entry of the table: its templates, and the SDK that is laid beside a module.

use include_dir::include_dir;

use super::{super::build::go, Kit, Language};

/// What the verbs know of Go.
pub(super) const GO: Language = Language {
    name: "go",
    title: "Go",
    marks: &["go.mod"],
    build: go::build,
    templates: &include_dir!("$CARGO_MANIFEST_DIR/../sdk/go/template"),
    kits: &[Kit {
        word: "sdk",
        folder: "wasmill-sdk",
        template: None,
        manifest: None,
        files: GO_FILES,
        folders: &[
            ("hostlog", include_dir!("$CARGO_MANIFEST_DIR/../sdk/go/hostlog")),
            ("internal", include_dir!("$CARGO_MANIFEST_DIR/../sdk/go/internal")),
            ("jsonedit", include_dir!("$CARGO_MANIFEST_DIR/../sdk/go/jsonedit")),
            ("wasmilltest", include_dir!("$CARGO_MANIFEST_DIR/../sdk/go/wasmilltest")),
        ],
        checkout: (".", "go.mod"),
    }],
    taken: &[],
    source: "main.go",
    setup: "go version",
};

/// Files of the folder `sdk/go`, each by its name there.
macro_rules! go_files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../../sdk/go/", $name)))),*]
    };
}

/// The package `wasmill`: all of `sdk/go` that is no folder, but for its tests.
const GO_FILES: &[(&str, &str)] = go_files![
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "arena_wasip1.go",
    "batch.go",
    "columns_wasip1.go",
    "config.go",
    "doc.go",
    "errors.go",
    "exports_wasip1.go",
    "go.mod",
    "host_other.go",
    "instance.go",
    "layout_wasip1.go",
    "linkname_wasip1.s",
    "log.go",
    "metrics.go",
    "module.go",
    "output.go",
    "records_wasip1.go",
    "run_other.go",
    "sent.go",
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    /// A package is laid beside a module without its tests, and with everything else.
    #[test]
    fn the_sdk_of_go_beside_a_module_is_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/go");
        let entries = std::fs::read_dir(folder).expect("the SDK").map(|entry| entry.expect("an entry"));
        let files = entries.filter(|entry| entry.file_type().expect("a type").is_file());
        let names: BTreeSet<_> = files.map(|file| file.file_name().into_string().expect("a name")).collect();
        let names: BTreeSet<_> = names.iter().map(String::as_str).filter(|name| !name.ends_with("_test.go")).collect();
        assert_eq!(GO_FILES.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), names);
    }
}
