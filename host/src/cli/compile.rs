//! `compile-worker`: the other side of the engine's compiler.

use std::path::Path;

use super::output::{Failure, Kind};

pub(super) fn worker(input: &Path, output: &Path, memory: u64, cpu_seconds: u64) -> Result<(), Failure> {
    let compiled = crate::engine::compile_worker(input, output, memory, cpu_seconds);
    // The parent passes the message on as it is: no name in front.
    compiled.map_err(|message| Failure { report: Some(message.clone()), ..Failure::new(Kind::Failed, message) })
}
