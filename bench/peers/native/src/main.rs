//! The same work as a pipeline, as a native program: `bench-native raw` on librdkafka's C interface, `bench-native safe`
//! on the interface of rust-rdkafka that most programs use.
//!
//! Both link the librdkafka that Wasmill links, take the settings that Wasmill runs with, keep keys and timestamps,
//! commit an offset only once everything below it was delivered, and run until they are killed.

mod job;
mod raw;
mod safe;
mod track;
mod work;

use anyhow::bail;

/// As in `wasmill` itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let job = job::Job::from_environment()?;
    match std::env::args().nth(1).as_deref() {
        Some("raw") => raw::run(&job),
        Some("safe") => safe::run(&job),
        _ => bail!("usage: bench-native raw|safe, with the job in the environment (bench/README.md)"),
    }
}
