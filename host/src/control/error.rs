//! What the control plane refuses, with a stable code for machines.

use thiserror::Error;

use super::store::StoreError;
use crate::{
    config::ConfigError,
    engine::LoadError,
    pipeline::{BuildError, ByHandError, FireError, PrepareError, SeekError},
};

#[derive(Debug, Error)]
pub enum ControlError {
    #[error("there is no {what} `{name}`{hint}")]
    NotFound { what: &'static str, name: String, hint: String },
    #[error("{0}")]
    BadName(String),
    #[error("{0}")]
    BadRequest(String),
    #[error("module {name}@{version} exists with other bytes ({existing}): give the new one another version")]
    ModuleExists { name: String, version: String, existing: String },
    #[error(transparent)]
    Module(#[from] LoadError),
    #[error("{0}")]
    Config(Box<ConfigError>),
    #[error("{error}{kept}")]
    Release { error: PrepareError, kept: String },
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("{0}")]
    NoRollback(String),
    #[error("{0}. Nothing was moved")]
    Seek(#[from] SeekError),
    #[error(
        "release {release} began at offset {began} of {topic}[{partition}], and the oldest record there is {low} \
             now: what it was given can no longer be read exactly. `--to earliest` begins at what is left"
    )]
    Gone { release: u64, topic: String, partition: i32, began: i64, low: i64 },
    #[error("{0}")]
    Fire(FireError),
    #[error("{0}")]
    ByHand(#[from] ByHandError),
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Internal(String),
}

impl ControlError {
    /// Stable name for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::BadName(_) => "bad-name",
            Self::BadRequest(_) => "bad-request",
            Self::ModuleExists { .. } => "module-exists",
            Self::Module(error) => error.code(),
            Self::Config(_) => "bad-config",
            Self::Release { error, .. } => error.code(),
            Self::Build(_) => "cannot-build",
            Self::NoRollback(_) => "no-rollback",
            Self::Seek(error) => error.code(),
            Self::Gone { .. } => "offset-out-of-range",
            Self::Fire(FireError::NoTimer(error)) => error.code(),
            Self::Fire(_) => "not-fired",
            Self::ByHand(_) => "not-delivered",
            Self::Store(_) => "store",
            Self::Internal(_) => "internal",
        }
    }
}

impl From<ConfigError> for ControlError {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}
