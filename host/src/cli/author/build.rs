//! `build`: compiles a project for wasm and looks at the result as a host would at its upload.
//!
//! Cargo does the work and is told through its own variables where a machine needs something else: `CARGO`,
//! `CARGO_BUILD_TARGET`, `CARGO_UNSTABLE_BUILD_STD` and their like.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    super::output::{self, Failure, Kind},
    engine, shown,
};
use crate::engine::{LoadError, Module};

/// What authors build for.
const TARGET: &str = "wasm32-wasip2";

/// A project's module, built.
pub(super) struct Built {
    /// `NAME.wasm` in the project's folder.
    pub(super) file: PathBuf,
    pub(super) bytes: Vec<u8>,
}

/// The part of cargo's messages that is looked at.
#[derive(serde::Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    target: MessageTarget,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Default, serde::Deserialize)]
struct MessageTarget {
    name: String,
    crate_types: Vec<String>,
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
    let usage = |message: String| Failure::new(Kind::Usage, message);
    let manifest = folder.join("Cargo.toml");
    let manifest = manifest.canonicalize().map_err(|_| {
        usage(format!(
            "{}: no project is there (no Cargo.toml); make one with `wasmill new rust NAME`",
            folder.display()
        ))
    })?;
    let messages = cargo(&manifest)?;
    let artefact = messages.into_iter().rev().find_map(|message| {
        let is_it = message.reason == "compiler-artifact"
            && message.manifest_path == manifest
            && message.target.crate_types.iter().any(|kind| kind == "cdylib");
        let wasm = message.filenames.into_iter().find(|file| file.extension().is_some_and(|kind| kind == "wasm"));
        wasm.filter(|_| is_it).map(|wasm| (message.target.name, wasm))
    });
    let (name, artefact) = artefact.ok_or_else(|| {
        usage(format!("{}: cargo built no module: it needs `[lib]` with `crate-type = [\"cdylib\"]`", shown(&manifest)))
    })?;
    let bytes = fs::read(&artefact).map_err(|error| Failure::failed(format!("{}: {error}", artefact.display())))?;
    let file = folder.join(format!("{}.wasm", name.replace('_', "-")));
    fs::write(&file, &bytes).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
    Ok(Built { file, bytes })
}

/// Runs cargo; its own words go to standard error as they come.
fn cargo(manifest: &Path) -> Result<Vec<Message>, Failure> {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = env::var("CARGO_BUILD_TARGET").unwrap_or_else(|_| TARGET.into());
    let mut command = Command::new(&program);
    command.args(["build", "--release", "--message-format=json-render-diagnostics", "--target", &target]);
    command.arg("--manifest-path").arg(manifest).stdin(Stdio::null()).stderr(Stdio::inherit());
    let done = command.output().map_err(|error| {
        Failure::failed(format!("{}: {error}; install Rust from https://rustup.rs", program.display()))
    })?;
    if !done.status.success() {
        let hint = if has_target(&target) {
            String::new()
        } else {
            format!("; the target is not installed here: `rustup target add {target}`")
        };
        return Err(Failure::failed(format!("cargo did not build the module ({}){hint}", done.status)));
    }
    let lines = done.stdout.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{"));
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Whether the compiler has a standard library for a target, as far as it says so.
fn has_target(target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output();
    let Ok(answer) = asked else { return true };
    Path::new(String::from_utf8_lossy(&answer.stdout).trim()).exists()
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
    output::line(format_args!("{} {}: {}", about.name, about.version, about.summary));
    for setting in &about.settings {
        let default = match (&setting.default, setting.required) {
            (Some(default), _) => format!(" (default: {default})"),
            (None, true) => " (required)".to_owned(),
            (None, false) => String::new(),
        };
        output::line(format_args!("  {}: {}{default}", setting.name, setting.summary));
    }
    Ok(())
}
