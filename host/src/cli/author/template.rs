//! Lays projects: folders of templates one over the other, and the packages that stand beside a module.
//! `sdk/template/README.md` is the reference of words and folders.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use include_dir::{Dir, include_dir};

use super::{
    super::output::{Failure, Kind},
    language::{Kit, Language},
};

/// What projects of all languages share.
static SHARED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../sdk/template");

/// Ends the name of a file whose words are filled in; the rest is the name of what it makes.
const TEMPLATE: &str = ".tmpl";

/// Begins a part of a path that begins with a dot in the project.
const DOT: &str = "dot-";

/// A project to be made.
pub(super) struct Project<'p> {
    pub(super) language: &'static Language,
    pub(super) template: &'p str,
    pub(super) name: &'p str,
    /// Where the SDK is, instead of beside the module.
    pub(super) sdk: Option<&'p Path>,
}

impl Project<'_> {
    /// Every file of the project, by its path in it.
    pub(super) fn files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>, Failure> {
        let words = self.words()?;
        let mut files = BTreeMap::new();
        for templates in [&SHARED, self.language.templates] {
            for folder in ["common", self.template] {
                if let Some(layer) = templates.get_dir(folder) {
                    lay(layer, Path::new(""), &words, &mut files)?;
                }
            }
        }
        if self.sdk.is_none() {
            for kit in self.kits() {
                let folder = Path::new(kit.folder);
                for (place, text) in kit.manifest.iter().map(|(place, text)| (place, fill(text, &words))) {
                    files.insert(folder.join(place), text.into_bytes());
                }
                files.extend(kit.files.iter().map(|(place, text)| (folder.join(place), text.as_bytes().to_vec())));
                for (place, source) in kit.folders {
                    lay(source, &folder.join(place), &words, &mut files)?;
                }
            }
        }
        Ok(files)
    }

    fn kits(&self) -> impl Iterator<Item = &'static Kit> {
        let needed = |kit: &&Kit| kit.template.is_none_or(|template| template == self.template);
        self.language.kits.iter().filter(needed)
    }

    fn words(&self) -> Result<Vec<(String, String)>, Failure> {
        let Self { language, name, .. } = self;
        let note = match (self.sdk, self.kits().next()) {
            (_, None) => String::new(),
            (Some(sdk), _) => format!("The SDK is the one at `{}`.", sdk.display()),
            (None, Some(kit)) => format!("The SDK is in `{}/`, of the version of its program.", kit.folder),
        };
        let mut words = vec![
            ("name", (*name).to_owned()),
            ("type", type_name(name)),
            ("ident", name.replace('-', "_")),
            ("language", language.title.to_owned()),
            ("source", language.source.to_owned()),
            ("setup", language.setup.to_owned()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("sdk_note", note),
        ];
        for kit in self.kits() {
            words.push((kit.word, self.place(kit)?));
        }
        Ok(words.into_iter().map(|(word, means)| (format!("{{{{{word}}}}}"), means)).collect())
    }

    /// Where a kit is, as a manifest of the project says it.
    fn place(&self, kit: &Kit) -> Result<String, Failure> {
        let Some(sdk) = self.sdk else { return Ok(format!("./{}", kit.folder)) };
        let (place, file) = kit.checkout;
        let found = sdk.join(place).canonicalize().ok().filter(|place| place.join(file).is_file());
        let found = found.ok_or_else(|| {
            let what = format!("{} of {} is not there (no {file})", kit.folder, self.language.title);
            Failure::new(Kind::Usage, format!("{}: {what}", sdk.join(place).display()))
        })?;
        Ok(found.display().to_string())
    }
}

/// Lays a folder's files over those that are there.
fn lay(
    layer: &Dir<'_>,
    at: &Path,
    words: &[(String, String)],
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Result<(), Failure> {
    let mut open = vec![layer];
    while let Some(next) = open.pop() {
        open.extend(next.dirs());
        for file in next.files() {
            let path = file.path().strip_prefix(layer.path()).map_err(Failure::failed)?;
            let parts = path.iter().map(|part| part.to_string_lossy());
            let path: PathBuf = parts
                .map(|part| part.strip_prefix(DOT).map_or_else(|| part.to_string(), |rest| format!(".{rest}")))
                .collect();
            let filled = path.to_str().and_then(|path| path.strip_suffix(TEMPLATE)).map(PathBuf::from);
            match (filled, file.contents_utf8()) {
                (Some(path), Some(text)) => files.insert(at.join(path), fill(text, words).into_bytes()),
                _ => files.insert(at.join(path), file.contents().to_vec()),
            };
        }
    }
    Ok(())
}

fn fill(template: &str, words: &[(String, String)]) -> String {
    words.iter().fold(template.to_owned(), |text, (word, means)| text.replace(word, means))
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

/// Writes a project's files into a folder.
pub(super) fn write(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<(), Failure> {
    for (path, bytes) in files {
        let path = folder.join(path);
        let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(&path, bytes).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(template: &str) -> BTreeMap<PathBuf, String> {
        let language = Language::named("rust").expect("a language");
        let project = Project { language, template, name: "log-clean-2x", sdk: None };
        let files = project.files().expect("files");
        files.into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes).expect("text"))).collect()
    }

    #[test]
    fn later_folders_lie_over_earlier_ones_and_words_are_filled_in() {
        let (blank, cdc) = (project("blank"), project("cdc"));
        let manifest = Path::new("Cargo.toml");
        assert!(blank[manifest].contains("wasmill-sdk = { path = \"./wasmill-sdk\" }"), "{}", blank[manifest]);
        assert!(!blank[manifest].contains("wasmill-cdc") && cdc[manifest].contains("wasmill-cdc"));
        assert!(!blank.contains_key(Path::new("wasmill-cdc/src/lib.rs")));
        assert!(cdc.contains_key(Path::new("wasmill-cdc/src/debezium/value.rs")));
        for path in [".gitignore", ".github/workflows/module.yaml", "tests/first.in.ndjson", "wasmill-sdk/Cargo.toml"] {
            assert!(blank.contains_key(Path::new(path)), "{path}");
        }
        assert!(blank[Path::new("src/lib.rs")].contains("impl Module for LogClean2x"));
        for (path, text) in blank.iter().filter(|(path, _)| !path.starts_with("wasmill-sdk/src")) {
            assert!(!text.contains("{{name") && !text.contains("{{sdk"), "{}: a word is left", path.display());
        }
    }

    /// The manifests that are laid beside a module ask for what the packages' own do, and offer the same.
    #[test]
    fn packages_beside_a_module_have_the_dependencies_and_features_of_their_own() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let workspace = fs::read_to_string(root.join("Cargo.toml")).expect("a manifest");
        let shared = |name: &str| {
            let line = workspace.lines().find(|line| line.starts_with(&format!("{name} = ")));
            line.expect("in the workspace's table").to_owned()
        };
        for (package, beside) in [("rust", "sdk/rust/beside.toml.tmpl"), ("cdc", "sdk/cdc/beside.toml.tmpl")] {
            let section = |file: &Path, name: &str| -> Vec<String> {
                let text = fs::read_to_string(root.join(file)).expect("a manifest");
                let lines = text.lines().skip_while(|line| *line != name).skip(1);
                let lines = lines.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with('#'));
                lines
                    .map(|line| line.strip_suffix(".workspace = true").map_or_else(|| line.to_owned(), shared))
                    .collect()
            };
            let own = Path::new("sdk").join(package).join("Cargo.toml");
            assert!(!section(&own, "[dependencies]").is_empty());
            for name in ["[dependencies]", "[features]"] {
                assert_eq!(section(Path::new(beside), name), section(&own, name), "{name} of {beside}");
            }
        }
    }
}
