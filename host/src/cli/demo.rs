//! `demo`: runs it and says what it proved.

use std::{
    io::IsTerminal as _,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    logging,
    output::{self, Failure},
};
use crate::demo::{self, Summary};

pub(super) fn demo(records: Option<u64>, json: bool) -> Result<ExitCode, Failure> {
    logging::start("error");
    let interrupted = Arc::new(AtomicBool::new(false));
    on_interrupt(&interrupted)?;
    let live = !json && std::io::stderr().is_terminal();
    if !json {
        output::line(
            "Kafka in this process -> access-log -> log-clean (drops name and password) -> clean, and dead letters",
        );
    }
    let summary = demo::run(records, live, &interrupted).map_err(Failure::failed)?;
    if json {
        output::json(&summary)?;
    } else {
        tell(&summary);
    }
    let proved = summary.lost == 0 && summary.duplicated == 0 && summary.misplaced == 0;
    Ok(if proved { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn on_interrupt(interrupted: &Arc<AtomicBool>) -> Result<(), Failure> {
    let interrupted = Arc::clone(interrupted);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    let wait = move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            interrupted.store(true, Relaxed);
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map(drop).map_err(Failure::failed)
}

fn tell(summary: &Summary) {
    output::line(format_args!(
        "{} records in = {} out + {} dropped + {} dead-lettered; lost {}, duplicated {}; {} records/s",
        summary.r#in,
        summary.out,
        summary.dropped,
        summary.dead_lettered,
        summary.lost,
        summary.duplicated,
        summary.records_per_second
    ));
    for swap in &summary.swaps {
        output::line(format_args!("while they flowed, {} was swapped for {}, which began at", swap.from, swap.to));
        for (topic, partitions) in &swap.began {
            let places: Vec<String> =
                partitions.iter().map(|(partition, offset)| format!("[{partition}] {offset}")).collect();
            output::line(format_args!("  {topic}: {}", places.join("  ")));
        }
    }
    output::line(format_args!(
        "partitions in which a record before that offset went through the new version, or one after it through the \
         old: {}",
        summary.misplaced
    ));
}
