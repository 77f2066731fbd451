//! What a pipeline's lanes share with whoever steers them: the live release, what is wanted, and what is reported.
//!
//! Control reaches the lanes through this alone: a release that is read once per batch, the controls of the trigger, and
//! a wish ([`Steering`]).

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::{
    build::stats,
    controls::Controls,
    refused::Refused,
    release::Release,
    status::{Counters, PartitionStatus, Partitions, State, Status, SwapGaps},
    steering::{Steering, Wish},
};
use crate::{config, direct::Unfit, kafka::Partition, sink::SinkStats};

/// The first record that a release was given of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Began {
    pub pipeline: String,
    pub release: u64,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// Called from lane threads, a few times per swap: it must not block for long.
pub type OnBegan = Arc<dyn Fn(Began) + Send + Sync>;

pub(super) struct Shared {
    pub(super) spec: Arc<config::Pipeline>,
    pub(super) counters: Counters,
    /// By name; each is shared by the lanes.
    pub(super) sinks: BTreeMap<String, Arc<SinkStats>>,
    pub(super) refused: Arc<Refused>,
    pub(super) unfit: Unfit,
    pub(super) steering: Steering,
    release: ArcSwap<Release>,
    controls: ArcSwap<Controls>,
    /// By lane: why it is not running.
    trouble: Mutex<BTreeMap<usize, (State, String)>>,
    /// By lane.
    partitions: Mutex<BTreeMap<usize, Vec<(Partition, PartitionStatus)>>>,
    began: OnBegan,
}

impl Shared {
    pub(super) fn new(spec: Arc<config::Pipeline>, release: Arc<Release>, began: OnBegan, paused: bool) -> Self {
        let wish = if paused { Wish::Pause } else { Wish::Run };
        Self {
            sinks: stats(&spec),
            refused: Arc::default(),
            controls: ArcSwap::from_pointee(Controls::of(&spec)),
            unfit: Unfit::default(),
            spec,
            counters: Counters::default(),
            release: ArcSwap::new(release),
            steering: Steering::new(wish),
            trouble: Mutex::default(),
            partitions: Mutex::default(),
            began,
        }
    }

    /// The live release: to be read once per batch.
    pub(super) fn release(&self) -> Arc<Release> {
        self.release.load_full()
    }

    /// Whether `release` is still the live one; cheaper than to ask for it.
    pub(super) fn is_live(&self, release: &Arc<Release>) -> bool {
        Arc::ptr_eq(&self.release.load(), release)
    }

    /// Makes another release the live one; answers the one before.
    pub(super) fn swap(&self, release: Arc<Release>) -> Arc<Release> {
        let before = self.release.swap(release);
        self.steering.note_release();
        before
    }

    pub(super) fn controls(&self) -> Arc<Controls> {
        self.controls.load_full()
    }

    /// Whether these are still the controls; cheaper than to ask for them.
    pub(super) fn are_current(&self, controls: &Arc<Controls>) -> bool {
        Arc::ptr_eq(&self.controls.load(), controls)
    }

    /// Lanes hear of it where anything changed: a swap sets them as well.
    pub(super) fn set_controls(&self, controls: Controls) {
        if **self.controls.load() != controls {
            self.controls.store(Arc::new(controls));
            self.steering.note_change();
        }
    }

    pub(super) fn set_trouble(&self, lane: usize, trouble: Option<(State, String)>) {
        let mut all = self.trouble.lock();
        match trouble {
            Some(trouble) => all.insert(lane, trouble),
            None => all.remove(&lane),
        };
    }

    pub(super) fn set_partitions(&self, lane: usize, partitions: Vec<(Partition, PartitionStatus)>) {
        self.partitions.lock().insert(lane, partitions);
    }

    pub(super) fn began(&self, release: u64, partition: &Partition, offset: i64) {
        (self.began)(Began {
            pipeline: self.spec.name.clone(),
            release,
            topic: partition.topic.to_string(),
            partition: partition.partition,
            offset,
        });
    }

    pub(super) fn status(&self) -> Status {
        let release = self.release();
        let trouble = self.trouble.lock().values().max_by_key(|(state, _)| *state == State::Failed).cloned();
        let (state, reason) = match (self.steering.wish(), trouble) {
            (Wish::Stop(_), _) => (State::Stopped, None),
            (Wish::Rest(_), _) => (State::Paused, Some("its offsets are being moved".into())),
            (_, Some((State::Failed, reason))) => (State::Failed, Some(reason)),
            (Wish::Pause, _) => (State::Paused, None),
            (Wish::Run, Some((state, reason))) => (state, Some(reason)),
            (Wish::Run, None) => (State::Running, None),
        };
        let mut partitions = Partitions::new();
        for (partition, status) in self.partitions.lock().values().flatten() {
            partitions.entry(partition.topic.to_string()).or_default().insert(partition.partition, *status);
        }
        let lags: Option<Vec<i64>> = partitions.values().flat_map(|topic| topic.values().map(|one| one.lag)).collect();
        Status {
            pipeline: self.spec.name.clone(),
            state,
            reason,
            release: release.id,
            module: release.module.clone(),
            records: self.counters.counts(),
            lag: lags.filter(|lags| !lags.is_empty()).map(|lags| lags.iter().sum()),
            rebalances: self.counters.rebalances.load(Relaxed),
            fires: self.counters.fires.load(Relaxed),
            recycled: self.counters.recycled.load(Relaxed),
            swap_gaps: SwapGaps::of(&self.counters),
            sinks: self.sinks.iter().map(|(name, stats)| (name.clone(), stats.counts())).collect(),
            keyvalue: release.granted().keyvalue_counts(),
            partitions,
            began: None,
            trigger: None,
        }
    }

    /// Whether a lane of this host has a partition: this one, or any.
    pub(super) fn has_partition(&self, topic_and_number: Option<(&str, i32)>) -> bool {
        self.partitions.lock().values().flatten().any(|(partition, _)| {
            topic_and_number.is_none_or(|(topic, number)| *partition.topic == *topic && partition.partition == number)
        })
    }
}
