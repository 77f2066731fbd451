//! Compares two logs: the topics of two clusters that have to hold the same records, after a copy or a double write.
//!
//! ```text
//! reader of --from -> digests -> sorter \
//!                                        merge -> judge (-> sorter of pairs -> order) -> report
//! reader of --to   -> digests -> sorter /
//! ```
//!
//! Each side is read once, from its begin to where it ends at the start. A record becomes a digest of 48 bytes
//! (`digest.rs`), digests are sorted so that those of one record lie together (`sort.rs`: in memory as long as they have
//! room, then on disk), and the judge (`judge.rs`) walks them once. So what is held in memory does not grow with the
//! logs: two halves of [`Room::memory`], what librdkafka fetches ahead, and some hundred bytes for each partition that
//! records came from.
//!
//! Digests are SipHash with a key of the run's own: two contents that differ look the same once in 2^64.
//! `digest.rs` and `judge.rs` do no IO.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use thiserror::Error;

pub use crate::kafka::ReadError;
use crate::kafka::{KafkaError, Reader};

mod digest;
mod judge;
mod report;
mod side;
mod sort;
#[cfg(test)]
mod tests;

use digest::{Digester, Entry, Source, Which};
use judge::{ByKey, ByLineage};
pub use report::{CameFrom, Difference, Kind, Place, Report, SideReport};
pub use side::Side;
use sort::{Sorted, Sorter};

/// Time for a cluster to say where its topic begins and ends.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time without a record before a side is given up.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Messages taken at a time.
const TAKE: usize = 1000;

const WAIT: Duration = Duration::from_millis(100);

/// What makes two records the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Where they came from, by lineage headers; a record without them is its own origin.
    Lineage,
    /// Their keys and contents.
    Key,
}

/// What is compared, and how.
#[derive(Clone, Debug)]
pub struct Rules {
    pub by: By,
    /// Only offsets of a source partition that both sides have reached and still have. With [`By::Lineage`].
    pub overlap: bool,
    /// Leave out records without lineage. With [`By::Lineage`].
    pub skip_unmarked: bool,
    /// A record has to be in the partition of the same number on both sides.
    pub same_partitions: bool,
    /// Duplicates are differences.
    pub strict: bool,
    pub ignore_headers: Ignored,
    pub ignore_timestamps: bool,
    /// Differences to name.
    pub show: usize,
}

/// Headers that are not compared. Those of lineage never are.
#[derive(Clone, Debug, Default)]
pub enum Ignored {
    #[default]
    None,
    Named(Vec<String>),
    All,
}

/// What the comparison may use.
#[derive(Clone, Debug)]
pub struct Room {
    /// Bytes for digests in memory; those of the buffers are a few MiB more.
    pub memory: usize,
    /// Where digests are put that have no room in memory: 48 bytes for each record of both sides.
    pub folder: PathBuf,
}

/// How far it is; read by whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Offsets of both sides, once they are known.
    pub expected: AtomicU64,
    /// Records read.
    pub read: AtomicU64,
    /// Digests compared, of those read.
    pub compared: AtomicU64,
    stop: AtomicBool,
}

/// The comparison did not come to its end.
#[derive(Debug, Error)]
pub enum VerifyError {
    #[error("the cluster of {side} ({brokers}): {error}")]
    Cluster { side: &'static str, brokers: String, error: ReadError },
    #[error("{side}: nothing came for {} s, with {left} offsets to go{}", SILENCE_MAX.as_secs(), said(.trouble))]
    Silence { side: &'static str, left: u64, trouble: Option<String> },
    #[error("{}: {error}; --temp-dir names another folder", .folder.display())]
    Disk { folder: PathBuf, error: io::Error },
    #[error("no record was compared: none of the {0} has lineage headers (`lineage: true` of a Kafka sink)")]
    Unmarked(u64),
    #[error("no record was compared: the log of --to has reached none of the {0} yet (--overlap)")]
    NoOverlap(u64),
    #[error("a thread ended without an answer")]
    Thread,
    #[error("stopped")]
    Stopped,
}

fn said(trouble: &Option<String>) -> String {
    trouble.as_ref().map_or_else(String::new, |trouble| format!(" ({trouble})"))
}

/// One side, read.
struct Scan {
    entries: Sorter<Entry>,
    sources: HashMap<u64, Source>,
    report: SideReport,
}

/// Reads and compares both sides.
///
/// # Errors
/// A cluster that cannot be read, or a disk that cannot be written.
pub fn run(from: &Side, to: &Side, rules: &Rules, room: &Room, progress: &Progress) -> Result<Report, VerifyError> {
    let begun = Instant::now();
    let digester = Digester::new(rules);
    let (from, to) = thread::scope(|scope| {
        let one = |side, which| {
            let digester = &digester;
            scope.spawn(move || {
                let scanned = scan(side, which, digester, room, progress);
                if scanned.is_err() {
                    progress.stop.store(true, Relaxed);
                }
                scanned
            })
        };
        let (from, to) = (one(from, Which::From), one(to, Which::To));
        (from.join().unwrap_or(Err(VerifyError::Thread)), to.join().unwrap_or(Err(VerifyError::Thread)))
    });
    // The side that failed says why; the other one was stopped for it.
    let (from, to) = match (from, to) {
        (Err(VerifyError::Stopped), Err(error)) | (Err(error), _) | (_, Err(error)) => return Err(error),
        (Ok(from), Ok(to)) => (from, to),
    };
    let unmarked = from.report.unmarked + to.report.unmarked;
    if rules.skip_unmarked && from.report.records + to.report.records == unmarked && unmarked > 0 {
        return Err(VerifyError::Unmarked(unmarked));
    }
    let sources = digest::merge(from.sources, to.sources);
    let disk = |error| VerifyError::Disk { folder: room.folder.clone(), error };
    let entries = Sorted::new(vec![from.entries, to.entries], room.memory).map_err(disk)?;
    let tally = match rules.by {
        By::Lineage => {
            let mut judge = ByLineage::new(rules, &sources);
            for entry in entries {
                judge.take(entry.map_err(disk)?);
                progress.compared.fetch_add(1, Relaxed);
            }
            judge.end()
        }
        By::Key => {
            let mut judge = ByKey::new(rules, digester.keyless());
            let mut pairs = Sorter::new(room.memory / 2, &room.folder);
            for entry in entries {
                judge.take(entry.map_err(disk)?, &mut |pair| pairs.push(pair)).map_err(disk)?;
                progress.compared.fetch_add(1, Relaxed);
            }
            judge.end_entries(&mut |pair| pairs.push(pair)).map_err(disk)?;
            for pair in Sorted::new(vec![pairs], room.memory).map_err(disk)? {
                judge.order(pair.map_err(disk)?);
            }
            judge.end()
        }
    };
    let report = tally.report(from.report, to.report, begun.elapsed());
    if rules.overlap && report.outside > 0 && report.compared() == 0 {
        return Err(VerifyError::NoOverlap(report.outside));
    }
    Ok(report)
}

fn scan(side: &Side, which: Which, digester: &Digester, room: &Room, progress: &Progress) -> Result<Scan, VerifyError> {
    let cluster = |error| VerifyError::Cluster { side: which.option(), brokers: side.kafka.brokers.join(","), error };
    let failed = |error: KafkaError| cluster(ReadError::Failed(error));
    let mut reader = Reader::open(&side.kafka, &side.topic, QUESTION_TIMEOUT).map_err(cluster)?;
    let left = |reader: &Reader| reader.spans().iter().map(|span| (span.end - span.begin).unsigned_abs()).sum::<u64>();
    progress.expected.fetch_add(left(&reader), Relaxed);
    let mut scanner = digester.scanner(which, &side.topic);
    let mut entries = Sorter::new(room.memory / 2, &room.folder);
    let mut heard = Instant::now();
    while !reader.is_done() {
        if progress.stop.load(Relaxed) {
            return Err(VerifyError::Stopped);
        }
        let (mut taken, mut full) = (0, Ok(()));
        let came = reader.receive(TAKE, WAIT, &mut |partition, rows, row| {
            taken += 1;
            if let Some(entry) = scanner.entry(partition, rows, row)
                && full.is_ok()
            {
                full = entries.push(entry);
            }
        });
        full.map_err(|error| VerifyError::Disk { folder: room.folder.clone(), error })?;
        progress.read.fetch_add(taken, Relaxed);
        if came.map_err(failed)? {
            heard = Instant::now();
        } else if heard.elapsed() > SILENCE_MAX {
            let trouble = reader.trouble().map(str::to_owned);
            let left = left(&reader).saturating_sub(scanner.records());
            return Err(VerifyError::Silence { side: which.option(), left, trouble });
        }
    }
    let (sources, report) = scanner.finish(reader.spans().len());
    Ok(Scan { entries, sources, report })
}
