//! The `wasmill` program.

use std::process::ExitCode;

/// Batches are megabytes that come and go: glibc gives each back to the kernel and faults it in again, which made a
/// crossing three times as dear. The feature `override` makes it C's allocator, too: librdkafka allocates a record in
/// one thread and frees it in another, and glibc's arena of a thread grows and shrinks by one system call a page.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wasmill::cli::main()
}
