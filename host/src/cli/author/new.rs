//! `new LANG NAME`: a project that builds, tests and runs as it is.
//!
//! The SDK's sources are in this program and are laid beside the module, so that a project fits the host that made it
//! and needs nothing but the packages of its language. One folder of templates for each language.

use std::{
    fs,
    path::{Path, PathBuf},
};

use include_dir::{Dir, DirEntry, include_dir};

use super::super::{
    args::Language,
    output::{self, Failure, Kind},
};
use crate::config::check_name;

/// The SDK for Rust, with its templates.
static RUST: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../sdk/rust");

/// Ends the name of a template; the rest is the name of what it makes.
const TEMPLATE: &str = ".tmpl";

/// The manifest of an SDK that is laid beside a module.
const SDK_MANIFEST: &str = "wasmill-sdk.toml.tmpl";

/// What is laid beside a module of the SDK.
const SDK_PARTS: [&str; 4] = ["src", "wit", "LICENSE-APACHE", "LICENSE-MIT"];

/// Words that stand for something in a template, and what they stand for.
struct Words {
    words: [(&'static str, String); 5],
}

impl Words {
    fn fill(&self, template: &str) -> String {
        self.words.iter().fold(template.to_owned(), |text, (word, means)| text.replace(word, means))
    }
}

pub(in crate::cli) fn new(language: Language, name: &str, sdk: Option<&Path>, json: bool) -> Result<(), Failure> {
    let Language::Rust = language;
    check(name)?;
    let folder = PathBuf::from(name);
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(Kind::Usage, format!("`{name}` is there and not empty: choose another name")));
    }
    let sdk_path = match sdk {
        None => "wasmill-sdk".to_owned(),
        Some(sdk) => {
            let found = sdk.canonicalize().ok().filter(|sdk| sdk.join("Cargo.toml").exists());
            let bad = || Failure::new(Kind::Usage, format!("{}: no crate of the SDK is there", sdk.display()));
            found.ok_or_else(bad)?.display().to_string()
        }
    };
    let note = if sdk.is_some() {
        format!("The SDK is the crate at `{sdk_path}`.")
    } else {
        "The SDK is in `wasmill-sdk/`, as it came with the program that made this project: it fits that version of \
         the contract and needs no registry."
            .to_owned()
    };
    let words = Words {
        words: [
            ("{{name}}", name.to_owned()),
            ("{{type}}", type_name(name)),
            ("{{sdk}}", sdk_path),
            ("{{sdk_note}}", note),
            ("{{sdk_version}}", env!("CARGO_PKG_VERSION").to_owned()),
        ],
    };
    let mut written = Vec::new();
    lay_template(&RUST, &folder, &words, &mut written)?;
    if sdk.is_none() {
        lay_sdk(&RUST, &folder.join("wasmill-sdk"), &words, &mut written)?;
    }
    if json {
        return output::json(&serde_json::json!({ "created": name, "language": "rust", "files": written }));
    }
    output::line(format_args!("created {name}/: {} files", written.len()));
    output::line(format_args!("next: cd {name} && wasmill build && wasmill test   (README.md says the rest)"));
    Ok(())
}

/// A name that is one for a crate, a module and a pipeline alike.
fn check(name: &str) -> Result<(), Failure> {
    let usage = |reason: &str| Err(Failure::new(Kind::Usage, format!("`{name}` is no name for a module: {reason}")));
    if let Err(error) = check_name(name) {
        return usage(&error.to_string());
    }
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || name.contains(['.', '_']) {
        return usage("a crate's name begins with a letter, and has a-z, 0-9 and `-`");
    }
    if ["test", "core", "std", "alloc", "wasmill-sdk", "serde-json"].contains(&name) {
        return usage("a crate of this name exists already");
    }
    Ok(())
}

/// `log-clean` as a type: `LogClean`.
fn type_name(name: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(part).collect()
}

fn lay_template(sdk: &Dir<'_>, folder: &Path, words: &Words, written: &mut Vec<String>) -> Result<(), Failure> {
    let missing = || Failure::failed("this program was built without its templates");
    let template = sdk.get_dir("template").ok_or_else(missing)?;
    let mut open = vec![template];
    while let Some(next) = open.pop() {
        open.extend(next.dirs());
        for file in next.files() {
            let path = file.path().strip_prefix("template").map_err(Failure::failed)?;
            let text = file.contents_utf8().ok_or_else(missing)?;
            let name = path.to_str().and_then(|path| path.strip_suffix(TEMPLATE)).ok_or_else(missing)?;
            if path == Path::new(SDK_MANIFEST) {
                continue;
            }
            let name = if name == "gitignore" { ".gitignore" } else { name };
            write(&folder.join(name), words.fill(text).as_bytes(), written)?;
        }
    }
    Ok(())
}

fn lay_sdk(sdk: &Dir<'_>, folder: &Path, words: &Words, written: &mut Vec<String>) -> Result<(), Failure> {
    let manifest = sdk.get_file(format!("template/{SDK_MANIFEST}")).and_then(include_dir::File::contents_utf8);
    let manifest = manifest.ok_or_else(|| Failure::failed("this program was built without the SDK"))?;
    write(&folder.join("Cargo.toml"), words.fill(manifest).as_bytes(), written)?;
    let mut open: Vec<&DirEntry<'_>> = SDK_PARTS.iter().filter_map(|part| sdk.get_entry(part)).collect();
    while let Some(next) = open.pop() {
        match next {
            DirEntry::Dir(next) => open.extend(next.entries()),
            DirEntry::File(file) => write(&folder.join(file.path()), file.contents(), written)?,
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8], written: &mut Vec<String>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, bytes).map_err(failed)?;
    written.push(path.display().to_string());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_a_crate_a_module_and_a_pipeline() {
        for name in ["log-clean", "a", "x2-y3"] {
            check(name).unwrap_or_else(|refused| panic!("{refused:?}"));
        }
        for name in ["", "Log", "1a", "a.b", "a_b", "a b", "../x", "-a", "test", "wasmill-sdk", &"a".repeat(64)] {
            assert!(check(name).is_err(), "{name:?}");
        }
        assert_eq!(type_name("log-clean-2x"), "LogClean2x");
    }

    /// The manifest that is laid beside a module asks for what the SDK's own does.
    #[test]
    fn the_sdk_beside_a_module_has_the_dependencies_and_features_of_the_sdk() {
        let section = |file: &str, name: &str| -> Vec<String> {
            let text = RUST.get_file(file).and_then(include_dir::File::contents_utf8).expect("a manifest");
            let lines = text.lines().skip_while(|line| *line != name).skip(1);
            lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
        };
        for name in ["[dependencies]", "[features]"] {
            assert_eq!(section("template/wasmill-sdk.toml.tmpl", name), section("Cargo.toml", name));
            assert!(!section("Cargo.toml", name).is_empty());
        }
    }
}
