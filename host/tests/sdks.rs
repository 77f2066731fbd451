//! The SDKs that are not crates of this workspace, natively: their own tests, and their copies of the contract.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/project.rs"]
mod project;

use std::{fs, path::Path, process::Command};

use project::root;

#[track_caller]
fn passes(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    format!("{out}{err}")
}

/// The header is all the code there is between a module in C and the contract: memory is looked after by the compiler's
/// sanitizers.
fn with_sanitizers(flags: &[&str], source: &Path, folder: &Path) -> String {
    let program = folder.join("unit");
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]);
    compiler.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    compiler.arg("-I").arg(root().join("sdk/c/include")).args(flags).arg(source).arg("-o").arg(&program);
    passes(&mut compiler);
    passes(&mut Command::new(&program))
}

#[test]
fn the_header_for_c_passes_its_tests_under_sanitizers() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = with_sanitizers(&[], &root().join("sdk/c/tests/sdk.c"), folder.path());
    assert!(said.ends_with("ok\n"), "{said}");
}

#[test]
fn the_templates_for_c_pass_their_native_tests() {
    for template in ["blank", "log-clean", "router", "cdc"] {
        let folder = tempfile::tempdir().expect("a folder");
        let project = project::new_project(folder.path(), "c", template);
        with_sanitizers(&["-DMODULE=\"x\"", "-DMODULE_VERSION=\"1\""], &project.join("tests/unit.c"), folder.path());
    }
}

fn python() -> Command {
    let mut python = Command::new("python3");
    python.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONPATH", root().join("sdk/python/src"));
    python
}

#[test]
fn the_package_for_python_passes_its_tests() {
    let tests = root().join("sdk/python/tests");
    let said = passes(python().args(["-m", "unittest", "discover", "-s"]).arg(tests));
    assert!(said.contains("OK"), "{said}");
}

/// As pytest would run them: every function of the file that is called `test_...`.
#[test]
fn the_templates_for_python_pass_their_native_tests() {
    const RUN: &str = "import sys; sys.path[:0] = ['.', 'tests', 'wasmill-sdk']; import test_main\n\
                       tests = [test for name, test in vars(test_main).items() if name.startswith('test_')]\n\
                       assert tests; [test() for test in tests]";
    for template in ["blank", "log-clean", "router", "cdc"] {
        let folder = tempfile::tempdir().expect("a folder");
        let project = project::new_project(folder.path(), "python", template);
        passes(python().env_remove("PYTHONPATH").args(["-c", RUN]).current_dir(project));
    }
}

#[test]
fn pythons_contract_is_the_repositorys() {
    let read = |path: &str| fs::read(root().join(path)).expect("a file");
    let (ours, repositorys) = (read("sdk/python/src/wasmill/wit/transform.wit"), read("wit/transform.wit"));
    assert!(ours == repositorys, "cp wit/transform.wit sdk/python/src/wasmill/wit/transform.wit");
}
