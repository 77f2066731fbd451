//! What a pipeline tells about itself: counters that the lanes add to once per batch, and snapshots made from them.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
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
    /// In each lane, from the end of a batch in the module to the begin of the next one, of the same release, without the
    /// time in which there was no record to be had or no room for it: what the module answered is handed to the sinks,
    /// the group is served.
    pub batch_gap: Histogram,
    /// The same where the next batch is the first of another release.
    pub swap_gap: Histogram,
    /// What of a [`Self::swap_gap`] is the swap itself: the instance of the release before is let go of, and that of the
    /// new one taken up.
    pub swap_time: Histogram,
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

/// Quantiles of durations in milliseconds, from buckets that are a sixteenth wide at most.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct Quantiles {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Quantiles {
    fn of(histogram: &Histogram) -> Option<Self> {
        Self::by(|quantile| histogram.quantile(quantile))
    }

    fn by(quantile: impl Fn(f64) -> Option<Duration>) -> Option<Self> {
        let ms = |share| quantile(share).map(|duration| duration.as_secs_f64() * 1e3);
        Some(Self { p50_ms: ms(0.5)?, p99_ms: ms(0.99)?, max_ms: ms(1.0)? })
    }
}

/// What swaps cost the lanes; each lane counts for itself.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct SwapGaps {
    pub swaps: u64,
    /// From the last batch of a release to the first of the next. Waiting for records or for room is no part of it.
    pub gap: Option<Quantiles>,
    /// What of it is the swap itself: an instance is let go of, and another taken up.
    pub swap: Quantiles,
    /// From a batch to the next where the release stays: what any gap is made of without a swap.
    pub ordinary: Option<Quantiles>,
    /// Of those gaps, the ones that a moment at random belongs to: what `gap` would be if a swap took no time at all,
    /// since it comes more often in a long gap than in a short one.
    pub by_chance: Option<Quantiles>,
}

impl SwapGaps {
    pub(super) fn of(counters: &Counters) -> Option<Self> {
        // A release that becomes live while the module works is taken up in the gap behind.
        let batch = counters.batch_time.mean().unwrap_or_default();
        Some(Self {
            swaps: counters.swap_time.snapshot().count,
            gap: Quantiles::of(&counters.swap_gap),
            swap: Quantiles::of(&counters.swap_time)?,
            ordinary: Quantiles::of(&counters.batch_gap),
            by_chance: Quantiles::by(|quantile| counters.batch_gap.quantile_met(quantile, batch)),
        })
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
