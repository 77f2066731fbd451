//! JavaScript and TypeScript, by the project's own packages: `wasmill-js` of the SDK checks types, bundles with esbuild and
//! makes a component with the engine that `package.json` names. Only Node.js has to be there.

use std::{
    fs,
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

/// The oldest Node.js that the SDK's tools run on.
const OLDEST: u32 = 20;

const NODE: Tool = Tool {
    program: "node",
    variable: Some("NODE"),
    install: "`apt-get install nodejs npm`, or an installer from https://nodejs.org (20 or newer)",
};

/// The SDK's tool, as npm lays it into a project.
const WASMILL_JS: &str = "node_modules/@wasmill/sdk/tool/cli.js";

/// The part of `package.json` that is looked at here.
#[derive(serde::Deserialize)]
struct Manifest {
    name: Option<String>,
}

pub(in crate::cli::author) fn build(folder: &Path) -> Result<Built, Failure> {
    let name = name(folder)?;
    check_node()?;
    let tool = installed(folder)?;
    let out = tempfile::tempdir().map_err(Failure::failed)?;
    let wasm = out.path().join("module.wasm");
    let mut command = NODE.command();
    command.arg(&tool).arg("build").arg(folder).arg("--out").arg(&wasm);
    // It has said what is wrong, with its place.
    let said_before = |_| Failure::failed(format!("{name}: nothing was built: see above"));
    NODE.run(&mut command).map_err(said_before)?;
    let bytes = fs::read(&wasm).map_err(|error| Failure::failed(format!("{}: {error}", wasm.display())))?;
    Built::write(folder, &name, &bytes)
}

/// The name of the project, without a scope: `@acme/log-clean` makes `log-clean.wasm`.
fn name(folder: &Path) -> Result<String, Failure> {
    let file = folder.join("package.json");
    let bad = |reason: &dyn std::fmt::Display| Failure::new(Kind::Usage, format!("{}: {reason}", shown(&file)));
    let text = fs::read_to_string(&file).map_err(|error| bad(&error))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| bad(&error))?;
    let name = manifest.name.unwrap_or_default();
    match name.rsplit('/').next() {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(bad(&"`name` is missing: the module's file is called after it")),
    }
}

fn check_node() -> Result<(), Failure> {
    let mut ask = NODE.command();
    let said = NODE.run(ask.arg("--version").stdout(Stdio::piped()))?;
    let said = String::from_utf8_lossy(&said);
    match major(&said) {
        Some(major) if major < OLDEST => {
            Err(Failure::failed(format!("Node.js {} is too old: {}", said.trim(), NODE.install)))
        }
        _ => Ok(()),
    }
}

/// 20 of `v20.19.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The SDK's tool, if `npm install` has been run.
fn installed(folder: &Path) -> Result<PathBuf, Failure> {
    let tool = folder.join(WASMILL_JS);
    if tool.is_file() {
        return Ok(tool);
    }
    let place = shown(folder);
    let place = if place.is_empty() { String::new() } else { format!("cd {place} && ") };
    let what = if folder.join("node_modules").is_dir() {
        "the SDK is not among this project's packages: `npm install --save-dev @wasmill/sdk`, or `file:./wasmill-sdk` in \
         its place where `wasmill new` laid that folder"
            .to_owned()
    } else {
        format!("this project's packages are not installed: `{place}npm install` (npm comes with Node.js)")
    };
    Err(Failure::failed(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(major("v20.19.2\n"), Some(20));
        assert_eq!(major("v8.0.0"), Some(8));
        assert_eq!(major("something else"), None);
    }

    #[test]
    fn a_project_is_called_after_its_package() {
        let folder = tempfile::tempdir().expect("a folder");
        let named = |text: &str| {
            fs::write(folder.path().join("package.json"), text).expect("written");
            name(folder.path())
        };
        assert_eq!(named(r#"{"name": "log-clean"}"#).expect("a name"), "log-clean");
        assert_eq!(named(r#"{"name": "@acme/log-clean"}"#).expect("a name"), "log-clean");
        for (text, words) in [("{}", "`name` is missing"), (r#"{"name": ""}"#, "`name` is missing"), ("{", "line 1")] {
            let refused = named(text).expect_err("no name");
            assert!(refused.kind == Kind::Usage && refused.message.contains(words), "{text}: {}", refused.message);
        }
    }

    #[test]
    fn missing_packages_are_said_with_the_command_that_installs_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let said = |folder: &Path| installed(folder).expect_err("nothing is installed").message;
        assert!(said(folder.path()).contains("npm install` (npm comes with Node.js)"), "{}", said(folder.path()));
        fs::create_dir(folder.path().join("node_modules")).expect("made");
        assert!(said(folder.path()).contains("npm install --save-dev @wasmill/sdk"), "{}", said(folder.path()));
    }
}
