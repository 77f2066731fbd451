//! What can go wrong between an upload and an answer, in words for people.

use std::time::Duration;

use thiserror::Error;

use crate::output::BadOutput;

/// The engine itself cannot be set up.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error("the WebAssembly engine cannot be set up: {0}")]
    Setup(String),
    #[error("the artefact cache at {path}: {source}")]
    Cache { path: String, source: std::io::Error },
}

/// An upload was refused. Each says what was found and what to do.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("not a WebAssembly module: {found}. Upload the .wasm file that `wasmill build` made")]
    NotWasm { found: String },
    #[error("{bytes} bytes are more than a module may have ({max})")]
    TooLarge { bytes: usize, max: usize },
    #[error(
        "this is code that was compiled ahead of time (.cwasm). Native code from outside is never loaded: upload the \
         .wasm file that it was made from"
    )]
    Precompiled,
    #[error("{0}")]
    Componentize(String),
    #[error(
        "the component does not export `{missing}`, so it is no module of Wasmill (it exports {found}). Build it \
         against world `transform` of wasmill:transform@0.1.0; `wasmill new rust NAME` gives a project that does"
    )]
    WrongWorld { missing: String, found: String },
    #[error(
        "the component imports `{import}`, which this host does not provide to modules. Remove what needs it; a module \
         may import WASI 0.2, `wasi:config`, `wasi:logging`, `wasmill:transform/log` and `wasmill:transform/metrics`, \
         and where its pipeline grants it `wasi:keyvalue@0.2.0-draft`"
    )]
    UnknownImport { import: String },
    #[error("the component does not fit the contract: {0}")]
    Mismatch(String),
    #[error("compiling failed: {0}")]
    Compile(String),
    #[error("compiling took more than {0:?} and was stopped")]
    CompileTimeout(Duration),
    #[error("the module does not say who it is: {0}")]
    Describe(CallError),
    #[error("the artefact cache: {0}")]
    Cache(std::io::Error),
}

impl LoadError {
    /// Stable name for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotWasm { .. } => "not-wasm",
            Self::TooLarge { .. } => "module-too-large",
            Self::Precompiled => "precompiled",
            Self::Componentize(_) => "not-componentizable",
            Self::WrongWorld { .. } => "wrong-world",
            Self::UnknownImport { .. } => "unknown-import",
            Self::Mismatch(_) => "contract-mismatch",
            Self::Compile(_) => "compile-failed",
            Self::CompileTimeout(_) => "compile-timeout",
            Self::Describe(_) => "describe-failed",
            Self::Cache(_) => "artifact-cache",
        }
    }

    /// Whether the upload is at fault, rather than this host.
    pub fn is_the_modules_fault(&self) -> bool {
        !matches!(self, Self::Cache(_))
    }
}

/// An instance did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// `init` answered an error: its words.
    #[error("it refuses its config: {0}")]
    Refused(String),
    #[error("its init {0}")]
    Call(CallError),
    #[error("it imports `{import}`, which the pipeline does not grant: {help}")]
    NotGranted { import: String, help: &'static str },
    #[error("its plan is not usable: {0}")]
    Plan(String),
    #[error("it cannot be instantiated: {0}")]
    Instantiate(String),
}

/// A call did not answer an output.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The module asks for the same batch again, later.
    #[error("asks for a retry: {0}")]
    Retry(String),
    /// Its store was away, and it trapped or ran out of time: the same batch again, later.
    #[error("cannot go on without its key-value store: {0}")]
    Store(String),
    /// The module says that a person has to look; or its store does, or the instance cannot be called any more.
    #[error("stopped: {0}")]
    Fatal(String),
    /// With the guest's last words on stderr, where it had any; frames innermost first.
    #[error("trapped: {message}")]
    Trap { message: String, backtrace: Vec<String> },
    #[error("ran longer than the pipeline's `limits.time` of {limit:?}")]
    Deadline { limit: Duration },
    #[error("needed more than the pipeline's `limits.memory` of {limit} bytes")]
    Memory { limit: usize, backtrace: Vec<String> },
    #[error("answered more than the pipeline's `limits.output` of {limit} bytes")]
    TooMuchOutput { limit: usize },
    #[error("answered what it must not: {0}")]
    Output(#[from] BadOutput),
}

impl CallError {
    /// Whether one row of the batch may be to blame, so that the others deserve another try.
    pub fn may_be_one_row(&self) -> bool {
        !matches!(self, Self::Retry(_) | Self::Store(_) | Self::Fatal(_))
    }

    /// Whether the instance can be called again. A malformed answer says that its state is not to be trusted.
    pub fn keeps_instance(&self) -> bool {
        matches!(self, Self::Retry(_) | Self::Fatal(_))
    }

    /// Its words and the guest's frames, for whoever wrote the module.
    pub fn explained(&self) -> String {
        format!("{self}{}", stack(self.backtrace()))
    }

    /// The guest's frames, innermost first, where it trapped.
    pub fn backtrace(&self) -> &[String] {
        match self {
            Self::Trap { backtrace, .. } | Self::Memory { backtrace, .. } => backtrace,
            _ => &[],
        }
    }
}

/// Frames as lines below the words that they belong to.
pub fn stack(backtrace: &[String]) -> String {
    backtrace.iter().fold(String::new(), |text, frame| text + "\n    at " + frame)
}
