//! What a pipeline tells about itself: counters that the lanes add to once per batch, and snapshots made from them.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{controls::Trigger, histogram::Histogram, release::ModuleId};
use crate::{grants::KeyValueCounts, sink::SinkCounts};

/// Counts of rows and records since the pipeline was started in this process. A batch counts when its last delivery is
/// settled, so the sum never runs ahead of what is delivered.
#[derive(Debug, Default)]
pub struct Counters {
    /// Rows that are through: delivered, dead-lettered or dropped on purpose.
    pub records_in: AtomicU64,
    /// Output records delivered; one that goes to several sinks counts once.
    pub records_out: AtomicU64,
    /// Rows that the module dropped on purpose.
    pub dropped: AtomicU64,
    /// Rows written to the dead letters.
    pub dead_lettered: AtomicU64,
    /// Rows of batches that the module asked to have again, each time it asked.
    pub retried: AtomicU64,
    /// Batches through.
    pub batches: AtomicU64,
    /// Fires of the timed trigger that are through; their records count as out.
    pub fires: AtomicU64,
    /// Wall time spent in the module, in nanoseconds.
    pub module_ns: AtomicU64,
    /// Wall time of each batch in the module.
    pub batch_time: Histogram,
    /// Of each swap, in each lane: from the end of the last batch of the release before to the begin of the first batch
    /// of the new one. A wait for records is part of it.
    pub swap_gap: Histogram,
    /// Bytes of keys and values read.
    pub bytes_in: AtomicU64,
    /// Times that the group moved partitions.
    pub rebalances: AtomicU64,
    /// Instances that were replaced by a fresh one because of the memory that they had gathered.
    pub recycled: AtomicU64,
    /// Linear memory of the instances, in bytes, as of their last batch.
    pub guest_memory: AtomicU64,
}

/// As [`Counters`], at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Counts {
    pub r#in: u64,
    pub out: u64,
    pub dropped: u64,
    pub dead_lettered: u64,
    pub retried: u64,
}

impl Counters {
    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        Counts {
            r#in: of(&self.records_in),
            out: of(&self.records_out),
            dropped: of(&self.dropped),
            dead_lettered: of(&self.dead_lettered),
            retried: of(&self.retried),
        }
    }
}

/// How long the lanes took from the last batch of a release to the first of the next; each lane counts for itself.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct SwapGaps {
    pub swaps: u64,
    /// Milliseconds, from buckets that are a fifth wide.
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl SwapGaps {
    pub(super) fn of(histogram: &Histogram) -> Option<Self> {
        let ms = |quantile| histogram.quantile(quantile).map(|gap| gap.as_secs_f64() * 1e3);
        let swaps = histogram.snapshot().count;
        (swaps > 0).then_some(Self { swaps, p50_ms: ms(0.5)?, p99_ms: ms(0.99)?, max_ms: ms(1.0)? })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Running,
    Paused,
    /// Records wait to be delivered and for ten seconds none was, or the module asks for the same batch again and again;
    /// `reason` says by which sink, or for what.
    Stalled,
    /// A person has to look; `reason` says at what. A swap or a resume tries again.
    Failed,
    Stopped,
}

/// Where a partition stands. Offsets are those of the next record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct PartitionStatus {
    /// Of the next record to be given to the module.
    pub position: Option<i64>,
    /// Of the next record of which something is still to be delivered.
    pub committed: Option<i64>,
    /// End of the partition as of the last fetch.
    pub end: Option<i64>,
    /// `end - committed`: records not yet through.
    pub lag: Option<i64>,
}

/// By topic, then by partition.
pub type Partitions = BTreeMap<String, BTreeMap<i32, PartitionStatus>>;

/// A pipeline at one moment.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Status {
    pub pipeline: String,
    pub state: State,
    pub reason: Option<String>,
    pub release: u64,
    pub module: ModuleId,
    pub records: Counts,
    /// Sum over the partitions, where all are known.
    pub lag: Option<i64>,
    pub rebalances: u64,
    /// Fires of the timed trigger that are through.
    pub fires: u64,
    /// Instances of the module that were replaced by a fresh one because of the memory that they had gathered.
    pub recycled: u64,
    /// Of the swaps since the pipeline was started in this process, where there was one.
    pub swap_gaps: Option<SwapGaps>,
    /// By name.
    pub sinks: BTreeMap<String, SinkCounts>,
    /// Of the store that the module is granted, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyvalue: Option<KeyValueCounts>,
    #[schema(value_type = Object)]
    pub partitions: Partitions,
    /// First offset that the live release was given, by topic and partition; where it is asked for one pipeline alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub began: Option<BTreeMap<String, BTreeMap<i32, i64>>>,
    /// The controls of the trigger; where it is asked for one pipeline alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
}
