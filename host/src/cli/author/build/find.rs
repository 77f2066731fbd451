//! Finds the programs that pip installs: in the project's own `.venv`, on the path, or as a module of Python.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program that `pip install` brings.
pub(super) struct Script {
    /// As pip puts it beside `python3`.
    pub(super) name: &'static str,
    /// The Python module that holds it.
    pub(super) module: &'static str,
    /// What Python is told to start it, where pip's folder of programs is on no path.
    pub(super) start: [&'static str; 2],
}

impl Script {
    /// The command that starts it, without arguments; `None` where it is not installed.
    pub(super) fn find(&self, project: &Path) -> Option<Command> {
        if let Some(program) = in_venv(project, self.name).or_else(|| on_path(self.name)) {
            return Some(command(&program));
        }
        [in_venv(project, "python3"), on_path("python3")].into_iter().flatten().find_map(|python| {
            let known = Command::new(&python)
                .args(["-c", &format!("import {}", self.module)])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            known.is_ok_and(|status| status.success()).then(|| {
                let mut command = command(&python);
                command.args(self.start);
                command
            })
        })
    }
}

/// A command with nothing to read, whose words all go to standard error: standard output is for the verb's answer.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(io::stderr()).stderr(Stdio::inherit());
    command
}

fn in_venv(project: &Path, name: &str) -> Option<PathBuf> {
    // Absolute: the command is started in another folder.
    let program = project.canonicalize().ok()?.join(".venv/bin").join(name);
    program.is_file().then_some(program)
}

pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_absolute() && program.is_file())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    const SCRIPT: Script =
        Script { name: "wasmill-no-such-script", module: "wasmill_no_such_module", start: ["-m", "x"] };

    #[test]
    fn the_projects_own_comes_first_and_what_is_missing_is_not_found() {
        let project = tempfile::tempdir().expect("a folder");
        assert!(SCRIPT.find(project.path()).is_none());
        let programs = project.path().join(".venv/bin");
        fs::create_dir_all(&programs).expect("a folder");
        let script = programs.join(SCRIPT.name);
        fs::write(&script, "#!/bin/sh\n").expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a program");
        let found = SCRIPT.find(project.path()).expect("found");
        assert_eq!(Path::new(found.get_program()), script.canonicalize().expect("a path"));
    }

    #[test]
    fn a_module_of_python_is_started_by_it() {
        let project = tempfile::tempdir().expect("a folder");
        let programs = project.path().join(".venv/bin");
        fs::create_dir_all(&programs).expect("a folder");
        let python = programs.join("python3");
        fs::write(&python, "#!/bin/sh\n[ \"$2\" = 'import wasmill_no_such_module' ]\n").expect("written");
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).expect("a program");
        let found = SCRIPT.find(project.path()).expect("found");
        assert_eq!(found.get_args().collect::<Vec<_>>(), ["-m", "x"]);
    }
}
