//! `new LANG NAME`: a project that builds, tests and runs as it is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::output::{self, Failure, Kind},
    language::Language,
    template::{self, Project},
};
use crate::config::check_name;

/// What `new` is asked for.
pub(in crate::cli) struct New<'n> {
    pub(in crate::cli) language: &'n str,
    pub(in crate::cli) name: &'n str,
    pub(in crate::cli) template: &'n str,
    pub(in crate::cli) sdk: Option<&'n Path>,
    pub(in crate::cli) json: bool,
}

pub(in crate::cli) fn new(asked: &New<'_>) -> Result<(), Failure> {
    let New { name, template, sdk, .. } = *asked;
    let language = Language::named(asked.language)?;
    check(name, language)?;
    let folder = PathBuf::from(name);
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(Kind::Usage, format!("`{name}` is there and not empty: choose another name")));
    }
    let files = Project { language, template, name, sdk }.files()?;
    template::write(&folder, &files)?;
    if asked.json {
        let files: Vec<_> = files.keys().map(|path| folder.join(path)).collect();
        return output::json(&serde_json::json!({
            "created": name, "language": language.name, "template": template, "files": files,
        }));
    }
    output::line(format_args!("created {name}/ ({}, {template}): {} files", language.title, files.len()));
    output::line(format_args!("next: cd {name} && wasmill build && wasmill test   (README.md says the rest)"));
    Ok(())
}

/// A name that is one for a package, a module and a pipeline alike.
fn check(name: &str, language: &Language) -> Result<(), Failure> {
    let usage = |reason: &str| Err(Failure::new(Kind::Usage, format!("`{name}` is no name for a module: {reason}")));
    if let Err(error) = check_name(name) {
        return usage(&error.to_string());
    }
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || name.contains(['.', '_']) {
        return usage("it begins with a letter, and has a-z, 0-9 and `-`");
    }
    if language.taken.contains(&name) {
        return usage(&format!("{} has this name already", language.title));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_a_package_a_module_and_a_pipeline() {
        let rust = Language::named("rust").expect("a language");
        for name in ["log-clean", "a", "x2-y3"] {
            check(name, rust).unwrap_or_else(|refused| panic!("{refused:?}"));
        }
        for name in ["", "Log", "1a", "a.b", "a_b", "a b", "../x", "-a", "test", "wasmill-sdk", &"a".repeat(64)] {
            assert!(check(name, rust).is_err(), "{name:?}");
        }
    }
}
