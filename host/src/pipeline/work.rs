//! What a lane gives to its module: a batch, or a fire of the timed trigger.

use std::{fmt, rc::Rc, time::Instant};

use super::{controls::rfc3339, timed::OF_FIRES};
use crate::{
    batch::{Batch, MemoryRows},
    config::{Timer, TimerScope},
    kafka::Partition,
};

/// Work that the module asked to have again.
pub(super) struct Held {
    pub(super) work: Work,
    pub(super) attempt: u32,
    pub(super) until: Instant,
    /// Since when, and why it asked last.
    pub(super) since: Instant,
    pub(super) reason: String,
}

/// What is given to a module.
pub(super) enum Work {
    Batch(Batch),
    /// A fire of the timed trigger, by its planned time.
    Fire(i64),
}

impl Work {
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.rows.len(),
            Self::Fire(_) => 0,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(batch) => write!(f, "{batch:?}"),
            Self::Fire(at) => write!(f, "the fire of {}", rfc3339(*at)),
        }
    }
}

/// The row of a fire, which nobody sent. Lanes that fire each for themselves are told apart by their lowest partition.
pub(super) fn row_of_fire(pipeline: &str, timer: Option<&Timer>, lowest: Option<&Partition>, at: i64) -> Batch {
    let (topic, partition) = match (timer, lowest) {
        (Some(Timer { scope: TimerScope::Lane, .. }), Some(Partition { topic, partition })) => {
            (format!("wasmill.timer.{pipeline}.{topic}"), *partition)
        }
        _ => (format!("wasmill.timer.{pipeline}"), 0),
    };
    let rows = Rc::new(MemoryRows::of_fire(at));
    Batch { topic: topic.into(), partition, epoch: OF_FIRES, bytes: 0, rows }
}
