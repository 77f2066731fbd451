//! The verbs of people who write modules: `new`, `build`, `test`, `inspect`, `dev`. None of them needs a host or Kafka; `dev`
//! can make live in one what it built.

mod build;
mod case;
mod dev;
mod inspect;
mod language;
mod new;
mod template;
mod test;
mod tool;

use std::path::Path;

pub(super) use build::build;
pub(super) use dev::{Dev, dev};
pub(super) use inspect::inspect;
pub(super) use language::{TEMPLATES, names as languages};
pub(super) use new::{New, new};
pub(super) use test::{Test, test};

use super::output::Failure;
use crate::engine::{CompileLimits, Engine, EngineOptions};

/// An engine for one module: its compiled code is kept in a folder that goes with the answer.
fn engine() -> Result<(Engine, tempfile::TempDir), Failure> {
    let cache = tempfile::tempdir().map_err(Failure::failed)?;
    let engine = Engine::new(EngineOptions {
        cache: cache.path().join("artifacts"),
        compiler: std::env::current_exe().map_err(Failure::failed)?,
        instances: 4,
        compile: CompileLimits::default(),
    });
    Ok((engine.map_err(Failure::failed)?, cache))
}

/// A path as people write it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    let path = short.as_deref().unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}
