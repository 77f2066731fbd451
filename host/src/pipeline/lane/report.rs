//! What a lane says of itself: where it is in its partitions, and that it stalls.

use std::time::{Duration, Instant};

use super::Lane;
use crate::{
    pipeline::{
        status::{PartitionStatus, State},
        work::Held,
    },
    source::Assignment,
};

/// How long deliveries may be under way without one being settled, or a batch asked for again and again, before the
/// pipeline shows as stalled. A slow server settles some in this time.
const STALLED_AFTER: Duration = Duration::from_secs(10);

const STATUS_INTERVAL: Duration = Duration::from_millis(250);

/// Partitions in a line of the log.
pub(super) fn names(assignments: &[Assignment]) -> Vec<String> {
    assignments
        .iter()
        .map(|assignment| format!("{}[{}]", assignment.partition.topic, assignment.partition.partition))
        .collect()
}

impl Lane<'_> {
    pub(super) fn note_stall(&mut self) {
        let held = self.held.as_ref().filter(|held| held.since.elapsed() >= STALLED_AFTER);
        let stuck = self.flight.stuck_for().is_some_and(|since| since >= STALLED_AFTER);
        if !stuck && held.is_none() {
            if std::mem::take(&mut self.stalled) {
                self.shared.set_trouble(self.index, None);
            }
            return;
        }
        if std::mem::replace(&mut self.stalled, true) {
            return;
        }
        if let Some(Held { work, attempt, reason, .. }) = held {
            let reason = format!("retry {attempt} of {work}: {reason}");
            tracing::warn!(pipeline = self.shared.spec.name, reason, "stalled");
            self.shared.set_trouble(self.index, Some((State::Stalled, reason)));
            return;
        }
        let said = |sink: &str| self.shared.sinks.get(sink)?.last_error();
        let sinks: Vec<String> = self
            .flight
            .waiting_sinks()
            .map(|sink| match said(sink) {
                Some(error) => format!("sink `{sink}` (its last error: {error})"),
                None => format!("sink `{sink}`"),
            })
            .collect();
        let reason = format!("{} batches wait to be delivered by {}", self.flight.len(), sinks.join(", "));
        tracing::warn!(pipeline = self.shared.spec.name, reason, "stalled");
        self.shared.set_trouble(self.index, Some((State::Stalled, reason)));
    }

    pub(super) fn report(&mut self) {
        if self.reported_at.is_some_and(|at| at.elapsed() < STATUS_INTERVAL) {
            return;
        }
        self.reported_at = Some(Instant::now());
        let partitions = self.flight.positions().map(|(epoch, partition, position)| {
            let committed = self.flight.settled(epoch).or_else(|| self.source.begins(partition));
            let end = self.source.end(partition);
            // Where the group had no offset, what was read first is where it began.
            let done = committed.or_else(|| self.flight.first(epoch)).or(position);
            let lag = end.zip(done).map(|(end, done)| (end - done).max(0));
            (partition.clone(), PartitionStatus { position, committed, end, lag })
        });
        self.shared.set_partitions(self.index, partitions.collect());
    }
}
