//! Dead letters: rows that cannot be processed or delivered, written to a topic as they came, with the reason.
//!
//! Header names are those of Kafka Connect (AK `DeadLetterQueueReporter`, KIP-298), so that its tools can read them;
//! what Connect has no name for is `wasmill.*`. A row is acknowledged only when its dead letter is.

use std::sync::Arc;

use super::release::ModuleId;
use crate::{
    batch::Batch,
    config,
    output::{Output, View},
    sink::{Settlement, Sink as _, SinkError, Ticket, kafka::KafkaSink, kafka::Outlet},
};

/// A row on its way to the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeadLetter {
    pub(super) row: u32,
    /// What failed: `TRANSFORMATION` or `TASK_PUT`, as Connect names the stages.
    pub(super) stage: &'static str,
    pub(super) reason: String,
    pub(super) backtrace: Vec<String>,
}

pub(super) const STAGE_TRANSFORM: &str = "TRANSFORMATION";
pub(super) const STAGE_SINK: &str = "TASK_PUT";

/// Index in a [`Ticket`] of what goes to the dead letters.
pub(super) const DEAD_LETTERS: u16 = u16::MAX;

/// Longest reason and backtrace that a header carries, in bytes: a guest writes them.
const TEXT_MAX: usize = 8 << 10;

pub(super) struct DeadLetters {
    sink: KafkaSink,
}

impl DeadLetters {
    pub(super) fn new(kafka: &config::KafkaSink, outlet: Outlet) -> Result<Self, SinkError> {
        let sink = KafkaSink::new("dead_letter", &kafka.topic, outlet, Arc::default())?;
        Ok(Self { sink: sink.partitioned(kafka.partition) })
    }

    pub(super) fn ready(&mut self) -> bool {
        self.sink.ready()
    }

    /// Writes rows of a batch; settled as (`batch`, [`DEAD_LETTERS`]). `letters` in the order of rows.
    pub(super) fn deliver(
        &mut self,
        batch: u64,
        rows: &Batch,
        letters: &[DeadLetter],
        module: &ModuleId,
        release: u64,
    ) {
        // The rows as they came: an output that keeps everything of the rows that it names.
        let output = Output { rows: letters.iter().map(|letter| letter.row).collect(), ..Output::default() };
        let view = View { batch: rows, base: 0, output: &output };
        let ticket = Ticket { batch, sink: DEAD_LETTERS };
        let mut letters = letters.iter();
        self.sink.deliver_with(ticket, rows, &mut view.records().map(|record| record.unchanged()), &mut |record| {
            letters.next().map_or_else(Vec::new, |letter| headers(letter, rows, record.offset(), module, release))
        });
    }

    pub(super) fn poll(&mut self, settled: &mut Vec<Settlement>) {
        self.sink.poll(settled);
    }
}

fn headers(
    letter: &DeadLetter,
    batch: &Batch,
    offset: i64,
    module: &ModuleId,
    release: u64,
) -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes()[..text.floor_char_boundary(TEXT_MAX)].to_vec();
    let mut headers = vec![
        ("__connect.errors.topic", text(&batch.topic)),
        ("__connect.errors.partition", text(&batch.partition.to_string())),
        ("__connect.errors.offset", text(&offset.to_string())),
        ("__connect.errors.stage", text(letter.stage)),
        ("__connect.errors.exception.message", text(&letter.reason)),
        ("wasmill.module", text(&format!("{}@{}", module.name, module.version))),
        ("wasmill.module.digest", text(&module.digest)),
        ("wasmill.release", text(&release.to_string())),
    ];
    if !letter.backtrace.is_empty() {
        headers.push(("__connect.errors.exception.stacktrace", text(&letter.backtrace.join("\n"))));
    }
    headers
}
