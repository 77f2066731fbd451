//! The short form of the proving machine: one fault of each kind, in minutes.
//!
//! A seed that ever failed joins [`SEEDS`].
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test fails by panicking")]

use std::process::Command;

const SEEDS: [&str; 1] = ["1"];

#[test]
fn one_fault_of_each_kind_and_nothing_is_lost() {
    for seed in SEEDS {
        let chaos = Command::new(env!("CARGO_BIN_EXE_chaos"))
            .args(["--seed", seed, "--rate", "1000", "--pause", "3000"])
            .output()
            .expect("it runs");
        let (said, struck) = (String::from_utf8_lossy(&chaos.stdout), String::from_utf8_lossy(&chaos.stderr));
        eprintln!("{struck}{said}");
        assert!(chaos.status.success(), "seed {seed}: {said}");
    }
}
