//! What is wrong with a pipeline file, for people and for programs.
//!
//! Invariant: a message is made of the file's own words at most, with secrets masked, never of what a variable held.

use std::fmt::{self, Display, Formatter};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;
use thiserror::Error;

/// A stranger's megabyte of mistakes does not become tens of megabytes of messages.
const PROBLEMS_MAX: usize = 100;

/// A place in the text of a pipeline file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// From 1, in characters.
    pub(super) line: u64,
    pub(super) column: u64,
    /// In bytes.
    pub(super) offset: usize,
    pub(super) len: usize,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Error)]
#[error("{}", Located(path, message))]
pub struct Problem {
    /// Keys from the top, as in `source.kafka.topics[0]`; empty where the whole file is meant.
    pub path: String,
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it, where that is not plain from the message.
    pub help: Option<String>,
    #[serde(skip)]
    offset: usize,
    #[serde(skip)]
    len: usize,
}

impl Problem {
    pub(super) fn new(path: String, place: Place, message: impl Into<String>, help: Option<String>) -> Self {
        let Place { line, column, offset, len } = place;
        Self { path, line, column, message: message.into(), help, offset, len }
    }

    /// Where in the file, in bytes.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }
}

struct Located<'a>(&'a str, &'a str);

impl Display for Located<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(path, message) = self;
        if path.is_empty() { f.write_str(message) } else { write!(f, "{path}: {message}") }
    }
}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new(Some("here".to_owned()), self.offset, self.len);
        Some(Box::new(std::iter::once(label)))
    }
}

/// A pipeline file that cannot be used, with all that is wrong in it. `Display` is one line; [`Self::report`] is the
/// whole of it as plain text, and `miette` draws it with the lines of the file.
#[derive(Debug, Error)]
#[error("{}", self.summary())]
pub struct ConfigError {
    problems: Vec<Problem>,
    /// The file with its secrets masked.
    source_code: Box<NamedSource<String>>,
}

impl ConfigError {
    pub(super) fn new(origin: &str, masked: String, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(Problem::offset);
        problems.truncate(PROBLEMS_MAX);
        Self { problems, source_code: Box::new(NamedSource::new(origin, masked).with_language("yaml")) }
    }

    /// All mistakes in the order of the file: at least one, of more than 100 the first 100.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// One block per mistake, `origin:line:column: path: message`, its help below.
    pub fn report(&self) -> String {
        self.problems.iter().map(|problem| self.block(problem)).collect::<Vec<_>>().join("\n")
    }

    fn block(&self, problem: &Problem) -> String {
        let Problem { line, column, help, .. } = problem;
        let help = help.as_ref().map_or_else(String::new, |help| format!("\n  help: {help}"));
        format!("{}:{line}:{column}: {problem}{help}", self.source_code.name())
    }

    fn only(&self) -> Option<&Problem> {
        match self.problems.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    fn summary(&self) -> String {
        let origin = self.source_code.name();
        match self.only() {
            Some(only) => format!("{origin}:{}:{}: {only}", only.line, only.column),
            None => format!("{origin}: {} problems", self.problems.len()),
        }
    }
}

/// One mistake is drawn as itself, several as a list.
impl Diagnostic for ConfigError {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new("invalid-pipeline"))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.only().and_then(Diagnostic::help)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.only().and_then(Diagnostic::labels)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source_code.as_ref())
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        match self.only() {
            Some(_) => None,
            None => Some(Box::new(self.problems.iter().map(|problem| problem as &dyn Diagnostic))),
        }
    }
}
