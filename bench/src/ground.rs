//! What a bench of hosts stands on: the module, a folder that is gone afterwards, a Kafka.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::e2e::kafka::Kafka;

pub(crate) struct Ground {
    pub(crate) kafka: Kafka,
    /// The example module `identity`, as an absolute path.
    pub(crate) module: PathBuf,
    pub(crate) folder: TempDir,
}

impl Ground {
    /// Starts Kafka, and the services that are named besides.
    ///
    /// # Errors
    /// Not the project's folder, or no module or no service is there.
    pub(crate) fn new(guests: &Path, services: &[&str]) -> anyhow::Result<Self> {
        let root = Path::new(".");
        ensure!(root.join("scripts/services").exists(), "to be started in the project's folder");
        let module = guests.join("identity.wasm").canonicalize().context("no identity.wasm: `just guests`")?;
        let folder = tempfile::Builder::new().prefix("wasmill-bench.").tempdir().context("no temporary folder")?;
        Ok(Self { kafka: Kafka::start_with(root, services)?, module, folder })
    }
}
