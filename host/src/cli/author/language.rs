//! The languages that modules are written in: what `new`, `build`, `test` and `dev` know of each.
//!
//! A language is one entry of [`LANGUAGES`], one file `build/LANG.rs` that knows its toolchain, and one folder of
//! templates (`sdk/template/README.md` says what is in it).

mod c;
mod go;
mod js;
mod python;

use std::path::Path;

use clap::builder::PossibleValuesParser;
use include_dir::{Dir, include_dir};

use super::{
    super::output::{Failure, Kind},
    build::{Built, rust},
    shown,
};

/// What the verbs know of a language.
pub(super) struct Language {
    /// As in `wasmill new NAME`.
    pub(super) name: &'static str,
    /// As people write it.
    pub(super) title: &'static str,
    /// Files that, all together, make a folder a project of this language.
    pub(super) marks: &'static [&'static str],
    /// Builds the project in a folder.
    pub(super) build: fn(&Path) -> Result<Built, Failure>,
    /// `common`, and a folder for each of [`TEMPLATES`].
    pub(super) templates: &'static Dir<'static>,
    /// Sources that are laid beside a module.
    pub(super) kits: &'static [Kit],
    /// Names that a module cannot have, since the language has them.
    pub(super) taken: &'static [&'static str],
    /// The file with the function, for the README.
    pub(super) source: &'static str,
    /// The command that installs what a build needs besides the language, for the README and CI.
    pub(super) setup: &'static str,
}

/// A package that comes with this program and is laid beside a module, so that a project fits the host that made it
/// and needs no registry for it.
pub(super) struct Kit {
    /// The word of templates that stands for its place: `{{WORD}}`.
    pub(super) word: &'static str,
    /// Its folder in a project.
    pub(super) folder: &'static str,
    /// The template that needs it; all do, where none is named.
    pub(super) template: Option<&'static str>,
    /// A manifest in place of the package's own: its name and text, words to be filled in.
    pub(super) manifest: Option<(&'static str, &'static str)>,
    /// Its files, by their place in it.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// Its folders, by their place in it.
    pub(super) folders: &'static [(&'static str, Dir<'static>)],
    /// Where it is seen from the folder that `--sdk` names, and a file that is there.
    pub(super) checkout: (&'static str, &'static str),
}

/// What `new` can begin with.
pub(in crate::cli) const TEMPLATES: [&str; 4] = ["blank", "log-clean", "router", "cdc"];

static LANGUAGES: &[Language] = &[RUST, go::GO, js::JS, js::TS, c::C, python::PYTHON];

const RUST: Language = Language {
    name: "rust",
    title: "Rust",
    marks: &["Cargo.toml"],
    build: rust::build,
    templates: &include_dir!("$CARGO_MANIFEST_DIR/../sdk/rust/template"),
    kits: &[
        Kit {
            word: "sdk",
            folder: "wasmill-sdk",
            template: None,
            manifest: Some(("Cargo.toml", include_str!("../../../../sdk/rust/beside.toml.tmpl"))),
            files: LICENSES,
            folders: &[
                ("src", include_dir!("$CARGO_MANIFEST_DIR/../sdk/rust/src")),
                ("wit", include_dir!("$CARGO_MANIFEST_DIR/../sdk/rust/wit")),
            ],
            checkout: (".", "Cargo.toml"),
        },
        Kit {
            word: "cdc",
            folder: "wasmill-cdc",
            template: Some("cdc"),
            manifest: Some(("Cargo.toml", include_str!("../../../../sdk/cdc/beside.toml.tmpl"))),
            files: LICENSES,
            folders: &[("src", include_dir!("$CARGO_MANIFEST_DIR/../sdk/cdc/src"))],
            checkout: ("../cdc", "Cargo.toml"),
        },
    ],
    taken: &["test", "core", "std", "alloc", "wasmill-sdk", "wasmill-cdc", "serde-json"],
    source: "src/lib.rs",
    setup: "rustup target add wasm32-wasip2",
};

/// Of everything that is laid beside a module.
const LICENSES: &[(&str, &str)] = &[
    ("LICENSE-APACHE", include_str!("../../../../LICENSE-APACHE")),
    ("LICENSE-MIT", include_str!("../../../../LICENSE-MIT")),
];

impl Language {
    /// The language of a name that [`names`] lists.
    pub(super) fn named(name: &str) -> Result<&'static Self, Failure> {
        let found = LANGUAGES.iter().find(|language| language.name == name);
        found.ok_or_else(|| Failure::new(Kind::Usage, format!("`{name}` is no language that modules are written in")))
    }

    /// The language of the project in a folder. Where several fit, the one with the most marks: a `package.json` with a
    /// `tsconfig.json` beside it says more than a `package.json` alone.
    pub(super) fn of(folder: &Path) -> Result<&'static Self, Failure> {
        let fits = |language: &&Self| language.marks.iter().all(|mark| folder.join(mark).is_file());
        // The last of equals would win: the table's order is turned round.
        let found = LANGUAGES.iter().rev().filter(fits).max_by_key(|language| language.marks.len());
        found.ok_or_else(|| {
            let mut marks: Vec<&str> =
                LANGUAGES.iter().filter_map(|language| language.marks.first().copied()).collect();
            marks.dedup();
            let names: Vec<&str> = LANGUAGES.iter().map(|language| language.name).collect();
            let folder = shown(folder);
            let folder = if folder.is_empty() { ".".into() } else { folder };
            Failure::new(
                Kind::Usage,
                format!(
                    "{folder}: no project is there (no {}); make one with `wasmill new {} NAME`",
                    marks.join(", "),
                    names.join("|"),
                ),
            )
        })
    }
}

/// The names of languages, for the command line.
pub(in crate::cli) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(LANGUAGES.iter().map(|language| language.name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_language_has_what_a_project_needs() {
        let names: BTreeSet<_> = LANGUAGES.iter().map(|language| language.name).collect();
        assert_eq!(names.len(), LANGUAGES.len(), "a name stands twice");
        for language in LANGUAGES {
            assert!(!language.marks.is_empty(), "{}: nothing tells its projects", language.name);
            for folder in TEMPLATES.iter().chain(&["common"]) {
                assert!(language.templates.get_dir(folder).is_some(), "{}: no template `{folder}`", language.name);
            }
        }
    }

    /// They are named one by one: one that is forgotten would be missed in projects alone.
    #[test]
    fn every_source_of_pythons_sdk_is_laid_beside_a_module() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/python/src/wasmill");
        let entries = std::fs::read_dir(package).expect("the package").map(|entry| entry.expect("an entry").path());
        let files =
            entries.filter(|path| path.is_file()).filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        let laid = super::python::PYTHON.kits.iter().flat_map(|kit| kit.files).map(|(name, _)| (*name).to_owned());
        let laid = laid.filter(|name| !name.starts_with("LICENSE"));
        assert_eq!(files.collect::<BTreeSet<_>>(), laid.collect::<BTreeSet<_>>());
    }

    #[test]
    fn a_project_is_told_by_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let nothing = Language::of(folder.path()).map(|language| language.name).expect_err("no project");
        assert!(nothing.message.contains("no project is there (no Cargo.toml"), "{}", nothing.message);
        for language in LANGUAGES {
            let folder = tempfile::tempdir().expect("a folder");
            for mark in language.marks {
                std::fs::write(folder.path().join(mark), "").expect("written");
            }
            assert_eq!(Language::of(folder.path()).expect("a project").name, language.name);
        }
    }
}
