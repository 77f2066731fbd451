//! The `wasmill` program.

use std::process::ExitCode;

/// Batches are megabytes that come and go: glibc gives each back to the kernel and faults it in again, which made a
/// crossing three times as dear.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wasmill::cli::main()
}
