//! `build`: compiles a project for wasm and looks at the result as a host would at its upload. A file for each
//! language knows its toolchain.

pub(super) mod c;
mod find;
pub(super) mod go;
pub(super) mod js;
pub(super) mod python;
pub(super) mod rust;

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::output::{self, Failure, Kind},
    engine,
    language::Language,
    shown,
};
use crate::engine::{Description, LoadError, Module, componentize};

/// A project's module, built.
pub(super) struct Built {
    /// `NAME.wasm` in the project's folder.
    pub(super) file: PathBuf,
    /// A component.
    pub(super) bytes: Vec<u8>,
}

impl Built {
    /// The end of every build: makes a component of what a compiler made, if it is none, and leaves it as `NAME.wasm`
    /// in the project's folder.
    pub(super) fn write(folder: &Path, name: &str, wasm: &[u8]) -> Result<Self, Failure> {
        let file = folder.join(format!("{name}.wasm"));
        let bytes = componentize(wasm).map_err(|error| refused(&file, &error))?;
        fs::write(&file, &bytes).map_err(|error| Failure::failed(format!("{}: {error}", shown(&file))))?;
        Ok(Self { file, bytes })
    }
}

pub(in crate::cli) fn build(folder: &Path, json: bool) -> Result<(), Failure> {
    let built = project(folder)?;
    let (engine, _cache) = engine()?;
    let module = engine.load(&built.bytes).map_err(|error| refused(&built.file, &error))?;
    show(&built, &module, json)
}

pub(super) fn refused(file: &Path, error: &LoadError) -> Failure {
    Failure::new(Kind::Refused, format!("{}: {error}", shown(file)))
}

/// Builds the project in a folder.
pub(super) fn project(folder: &Path) -> Result<Built, Failure> {
    (Language::of(folder)?.build)(folder)
}

fn show(built: &Built, module: &Module, json: bool) -> Result<(), Failure> {
    let about = module.description();
    if json {
        return output::json(&serde_json::json!({
            "file": shown(&built.file),
            "bytes": built.bytes.len(),
            "digest": module.digest().to_string(),
            "description": about,
            "world": module.world(),
            "imports": module.imports(),
        }));
    }
    let size = built.bytes.len().div_ceil(1024);
    output::line(format_args!("{}  {size} KiB  {}", shown(&built.file), module.digest()));
    describe(about);
    Ok(())
}

/// Who a module is and what it can be told, for people.
pub(super) fn describe(about: &Description) {
    output::line(format_args!("{} {}: {}", about.name, about.version, about.summary));
    for setting in &about.settings {
        let default = match (&setting.default, setting.required) {
            (Some(default), _) => format!(" (default: {default})"),
            (None, true) => " (required)".to_owned(),
            (None, false) => String::new(),
        };
        output::line(format_args!("  {}: {}{default}", setting.name, setting.summary));
    }
}
