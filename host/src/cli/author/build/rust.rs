//! Rust, by cargo.
//!
//! Cargo is told through its own variables where a machine needs something else: `CARGO`, `CARGO_BUILD_TARGET`,
//! `CARGO_UNSTABLE_BUILD_STD` and their like.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use super::{
    super::{
        super::output::{Failure, Kind},
        shown,
        tool::Tool,
    },
    Built,
};

/// What authors build for.
const TARGET: &str = "wasm32-wasip2";

const CARGO: Tool = Tool {
    program: "cargo",
    variable: Some("CARGO"),
    install: "install Rust from https://rustup.rs, then `rustup target add wasm32-wasip2`",
};

const RUSTC: Tool = Tool { program: "rustc", variable: Some("RUSTC"), install: CARGO.install };

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

pub(in crate::cli::author) fn build(folder: &Path) -> Result<Built, Failure> {
    let manifest = folder.join("Cargo.toml");
    let manifest =
        manifest.canonicalize().map_err(|error| Failure::failed(format!("{}: {error}", shown(&manifest))))?;
    let messages = cargo(&manifest)?;
    let artefact = messages.into_iter().rev().find_map(|message| {
        let is_it = message.reason == "compiler-artifact"
            && message.manifest_path == manifest
            && message.target.crate_types.iter().any(|kind| kind == "cdylib");
        let wasm = message.filenames.into_iter().find(|file| file.extension().is_some_and(|kind| kind == "wasm"));
        wasm.filter(|_| is_it).map(|wasm| (message.target.name, wasm))
    });
    let (name, artefact) = artefact.ok_or_else(|| {
        let missing = "cargo built no module: it needs `[lib]` with `crate-type = [\"cdylib\"]`";
        Failure::new(Kind::Usage, format!("{}: {missing}", shown(&manifest)))
    })?;
    let bytes = fs::read(&artefact).map_err(|error| Failure::failed(format!("{}: {error}", artefact.display())))?;
    Built::write(folder, &name.replace('_', "-"), &bytes)
}

/// Runs cargo; its own words go to standard error as they come.
fn cargo(manifest: &Path) -> Result<Vec<Message>, Failure> {
    let target = env::var("CARGO_BUILD_TARGET").unwrap_or_else(|_| TARGET.into());
    let mut command = CARGO.command();
    command.args(["build", "--release", "--message-format=json-render-diagnostics", "--target", &target]);
    command.arg("--manifest-path").arg(manifest).stdout(Stdio::piped());
    let said = CARGO.run(&mut command).map_err(|failure| {
        if has_target(&target) {
            return failure;
        }
        let hint = format!("the target is not installed here: `rustup target add {target}`");
        Failure::failed(format!("{}; {hint}", failure.message))
    })?;
    let lines = said.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{"));
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Whether the compiler has a standard library for a target, as far as it says so.
fn has_target(target: &str) -> bool {
    let mut ask = RUSTC.command();
    ask.args(["--print", "target-libdir", "--target", target]).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(answer) = RUSTC.run(&mut ask) else { return true };
    Path::new(String::from_utf8_lossy(&answer).trim()).exists()
}
