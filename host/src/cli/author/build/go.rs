//! Go, by the plain Go compiler: a program for `wasip1`, as a library. What Go's variables say is heeded (`GOFLAGS`,
//! `GOPROXY`, `GOTOOLCHAIN` and their like); `GO` names another command in place of `go`.

use std::{fs, path::Path, process::Stdio};

use super::{
    super::{
        super::output::{Failure, Kind},
        shown,
        tool::Tool,
    },
    Built,
};

const GO: Tool = Tool { program: "go", variable: Some("GO"), install: INSTALL };

const INSTALL: &str = "install Go 1.24 or newer from https://go.dev/dl";

/// The first minor version of Go 1 that exports functions from wasm (`go:wasmexport`).
const MINOR: u32 = 24;

pub(in crate::cli::author) fn build(folder: &Path) -> Result<Built, Failure> {
    let version = ask(folder, &["env", "GOVERSION"])?;
    if let Some(minor) = minor(&version)
        && minor < MINOR
    {
        return Err(Failure::failed(format!("{version} is too old: {INSTALL}")));
    }
    let path = ask(folder, &["list", "-m"])?;
    let name = name(&path).ok_or_else(|| {
        let manifest = shown(&folder.join("go.mod"));
        Failure::new(Kind::Usage, format!("{manifest}: module path `{path}` ends in no name for a file"))
    })?;
    let out = tempfile::tempdir().map_err(Failure::failed)?;
    let core = out.path().join("core.wasm");
    let mut command = GO.command();
    command.current_dir(folder).env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0");
    // Without debug data, which nobody reads; with the names of functions, for the frames of a trap.
    command.args(["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-w", "-o"]).arg(&core).arg(".");
    GO.run(&mut command)?;
    let bytes = fs::read(&core).map_err(|_| {
        // Of a folder without a program, `go build` makes nothing and is content.
        let what = "there is no program here: `package main` with `func main() { wasmill.Run(...) }`";
        Failure::new(Kind::Usage, format!("{}: {what}", shown(folder)))
    })?;
    Built::write(folder, name, &bytes)
}

/// What `go` answers to a question about a project.
fn ask(folder: &Path, question: &[&str]) -> Result<String, Failure> {
    let answer = GO.run(GO.command().current_dir(folder).args(question).stdout(Stdio::piped()))?;
    Ok(String::from_utf8_lossy(&answer).trim().to_owned())
}

/// `go1.26.1` is 26; a version under development has none.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("go1.")?.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The last part of a module's path that is no version: `example.org/log-clean/v2` is `log-clean`.
fn name(path: &str) -> Option<&str> {
    let mut parts = path.rsplit('/');
    let last = parts.next().filter(|last| !last.is_empty())?;
    let is_version = last.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok());
    if is_version { parts.next().or(Some(last)) } else { Some(last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(minor("go1.26.8"), Some(26));
        assert_eq!(minor("go1.24rc1"), Some(24));
        assert_eq!(minor("devel go1.27-abcdef"), None);
    }

    #[test]
    fn a_module_is_called_by_the_end_of_its_path() {
        for (path, called) in [
            ("log-clean", Some("log-clean")),
            ("example.org/x/log-clean", Some("log-clean")),
            ("example.org/log-clean/v2", Some("log-clean")),
            ("v2", Some("v2")),
            ("example.org/", None),
        ] {
            assert_eq!(name(path), called, "{path}");
        }
    }
}
