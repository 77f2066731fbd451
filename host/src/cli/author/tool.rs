//! The programs that builds are made of: started alike, and where one is missing, what to install.

use std::{
    env,
    ffi::OsString,
    io,
    process::{Command, Stdio},
};

use super::super::output::{Failure, Kind};

/// A program of a language's toolchain.
pub(super) struct Tool {
    /// Its name.
    pub(super) program: &'static str,
    /// The variable that names another in its place.
    pub(super) variable: Option<&'static str>,
    /// What to do where it is missing, in command lines if possible: "`apt-get install golang`, or <https://go.dev/dl>".
    pub(super) install: &'static str,
}

impl Tool {
    pub(super) fn program(&self) -> OsString {
        self.variable.and_then(env::var_os).unwrap_or_else(|| self.program.into())
    }

    /// A command with nothing to read, whose words all go to standard error: standard output is for the verb's answer.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        command.stdin(Stdio::null()).stdout(io::stderr()).stderr(Stdio::inherit());
        command
    }

    /// Runs a command of [`Self::command`] to its end. The answer is what it wrote to standard output, if that was
    /// piped.
    pub(super) fn run(&self, command: &mut Command) -> Result<Vec<u8>, Failure> {
        let program = self.program();
        let program = program.display();
        let done = command.output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Failure::new(Kind::Failed, format!("`{program}` is not installed here: {}", self.install))
            }
            _ => Failure::new(Kind::Failed, format!("{program}: {error}")),
        })?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        let words: Vec<_> = command.get_args().take(1).map(|word| word.display().to_string()).collect();
        Err(Failure::new(Kind::Failed, format!("`{program} {}` failed ({})", words.join(" "), done.status)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_what_to_install() {
        let tool = Tool { program: "wasmill-no-such-program", variable: None, install: "`apt-get install such`" };
        let failure = tool.run(tool.command().arg("build")).expect_err("missing");
        assert_eq!(failure.kind, Kind::Failed);
        assert_eq!(failure.message, "`wasmill-no-such-program` is not installed here: `apt-get install such`");
    }

    #[test]
    fn a_program_that_fails_is_named_with_its_verb() {
        let tool = Tool { program: "false", variable: None, install: "" };
        let failure = tool.run(tool.command().args(["build", "--secret"])).expect_err("failed");
        assert_eq!(failure.message, "`false build` failed (exit status: 1)");
    }

    #[test]
    fn what_was_piped_is_the_answer() {
        let tool = Tool { program: "echo", variable: None, install: "" };
        assert_eq!(tool.run(tool.command().arg("a").stdout(Stdio::piped())).expect("done"), b"a\n");
        assert_eq!(tool.run(tool.command().arg("echo: to standard error")).expect("done"), b"");
    }
}
