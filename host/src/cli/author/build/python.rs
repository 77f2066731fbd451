//! Python, by componentize-py.
//!
//! A project is `pyproject.toml` and `main.py`. `[tool.wasmill] path` names further folders that modules are imported
//! from; packages of the project's `.venv` are found as well.

use std::{env, fs, path::Path};

use super::{
    super::{
        super::output::{Failure, Kind},
        shown,
    },
    Built,
    find::Script,
};

const COMPONENTIZE: Script = Script {
    name: "componentize-py",
    module: "componentize_py",
    start: ["-c", "import sys; from componentize_py import script; sys.exit(script())"],
};

const INSTALL: &str = "componentize-py is not installed here: `pip install componentize-py==0.25.1` (in a venv: `python3 -m venv \
                       .venv`, `.venv/bin/pip install componentize-py==0.25.1`)";

/// The contract, which componentize-py makes its bindings from.
const CONTRACT: &str = include_str!("../../../../../wit/transform.wit");

/// The module of the SDK that exports the contract around the author's.
const ENTRY: &str = "wasmill.guest";

/// What is read of a `pyproject.toml`.
#[derive(serde::Deserialize)]
struct Manifest {
    project: Project,
    #[serde(default)]
    tool: Tools,
}

#[derive(serde::Deserialize)]
struct Project {
    name: String,
}

#[derive(Default, serde::Deserialize)]
struct Tools {
    #[serde(default)]
    wasmill: Settings,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    path: Vec<String>,
}

pub(in crate::cli::author) fn build(folder: &Path) -> Result<Built, Failure> {
    let failed = |path: &Path, error: std::io::Error| Failure::failed(format!("{}: {error}", shown(path)));
    let root = folder.canonicalize().map_err(|error| failed(folder, error))?;
    let manifest = read(&root.join("pyproject.toml"))?;
    if !root.join("main.py").is_file() {
        let missing = "no main.py is there: the module, marked with @wasmill.module(name, version)";
        return Err(Failure::new(Kind::Usage, format!("{}: {missing}", shown(folder))));
    }
    let work = tempfile::tempdir().map_err(Failure::failed)?;
    let (wit, component) = (work.path().join("transform.wit"), work.path().join("component.wasm"));
    fs::write(&wit, CONTRACT).map_err(|error| failed(&wit, error))?;
    let mut command = COMPONENTIZE.find(&root).ok_or_else(|| Failure::failed(INSTALL))?;
    command.current_dir(&root).arg("-q").arg("-d").arg(&wit).args(["-w", "transform", "componentize", ENTRY]);
    for place in std::iter::once(".").chain(manifest.tool.wasmill.path.iter().map(String::as_str)) {
        command.args(["-p", place]);
    }
    command.arg("-o").arg(&component);
    // Its packages are the module's: componentize-py looks for those of an active venv alone.
    let venv = root.join(".venv");
    if venv.is_dir() && env::var_os("VIRTUAL_ENV").is_none() {
        command.env("VIRTUAL_ENV", venv);
    }
    let status = command.status().map_err(|error| Failure::failed(format!("componentize-py: {error}")))?;
    if !status.success() {
        return Err(Failure::failed(format!("componentize-py did not build the module ({status})")));
    }
    let bytes = fs::read(&component).map_err(|error| failed(&component, error))?;
    Built::write(folder, &manifest.project.name.replace('_', "-"), &bytes)
}

fn read(file: &Path) -> Result<Manifest, Failure> {
    let text = fs::read_to_string(file).map_err(|error| Failure::failed(format!("{}: {error}", shown(file))))?;
    toml::from_str(&text)
        .map_err(|error| Failure::new(Kind::Usage, format!("{}: {}", shown(file), error.to_string().trim_end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Result<Manifest, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pyproject.toml");
        fs::write(&file, text).expect("written");
        read(&file).map_err(|failure| failure.message)
    }

    #[test]
    fn a_manifest_names_the_module_and_where_it_imports_from() {
        let plain = manifest("[project]\nname = \"log-clean\"\nversion = \"1\"\n[tool.ruff]\nline-length = 100\n");
        let plain = plain.unwrap_or_else(|message| panic!("{message}"));
        assert_eq!((plain.project.name.as_str(), plain.tool.wasmill.path.len()), ("log-clean", 0));
        let path = manifest("[project]\nname = \"x\"\n[tool.wasmill]\npath = [\"../lib\"]\n");
        assert_eq!(path.unwrap_or_else(|message| panic!("{message}")).tool.wasmill.path, ["../lib"]);
    }

    #[test]
    fn a_manifest_that_is_wrong_says_where() {
        let refused = |text: &str| manifest(text).err().expect("refused");
        assert!(refused("[project]\nversion = \"1\"\n").contains("missing field `name`"));
        let unknown = refused("[project]\nname = \"x\"\n[tool.wasmill]\npaths = []\n");
        assert!(unknown.contains("unknown field `paths`") && unknown.contains("line 4"), "{unknown}");
    }
}
