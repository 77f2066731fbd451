//! What is asked of running lanes and takes time: to rest, and to fire the timed trigger now.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use thiserror::Error;

use super::{release::PrepareError, seek::SeekError, shared::Shared, steering::Wish};
use crate::config::TimerScope;

/// How long clients may take to close behind a drain.
const CLOSING: Duration = Duration::from_secs(45);

/// How long a fire by hand is waited for: it may be tried again by its module.
const FIRED_WITHIN: Duration = Duration::from_secs(30);

const LOOK: Duration = Duration::from_millis(10);

/// The timed trigger was not fired, or it is not known that it was.
#[derive(Debug, Error)]
pub enum FireError {
    #[error("{0}")]
    NoTimer(#[from] PrepareError),
    #[error("the pipeline is paused: resume it first")]
    Paused,
    #[error("this host has no partition 0 of `{0}`: ask the host that has it (`wasmill status` lists the partitions)")]
    NotHere(String),
    #[error(
        "the timer was asked to fire, and nothing came of it yet: the module asks for retries, or a sink takes nothing"
    )]
    Slow,
}

/// Reaches a running pipeline for as long as it runs.
pub struct Steer {
    shared: Arc<Shared>,
}

/// Lanes at rest; they go on when it is dropped.
pub struct Resting {
    shared: Arc<Shared>,
    before: Wish,
    /// Batches whose deliveries were not settled in time.
    pub left: usize,
}

impl Drop for Resting {
    fn drop(&mut self) {
        self.shared.steering.set_wish(self.before);
    }
}

impl Steer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Lanes of the pipeline: members that it has in its group at most.
    pub fn lanes(&self) -> usize {
        self.shared.spec.source.lanes
    }

    /// Of a pipeline that is told to stop: the batches that it left in flight, once that is known. Its clients may still
    /// be closing.
    pub fn left(&self) -> Option<usize> {
        self.shared.steering.left(self.lanes())
    }

    /// Delivers and commits what is in flight, for at most `drain`, and leaves the group until the answer is dropped.
    ///
    /// # Errors
    /// A lane does not end in time: all go on.
    pub fn rest(&self, drain: Duration) -> Result<Resting, SeekError> {
        let shared = Arc::clone(&self.shared);
        let before = shared.steering.wish();
        let deadline = Instant::now() + drain;
        shared.steering.set_wish(Wish::Rest(deadline));
        let mut resting = Resting { shared, before, left: 0 };
        resting.left =
            self.shared.steering.wait_for_rest(self.lanes(), deadline + CLOSING).ok_or(SeekError::Restless)?;
        Ok(resting)
    }

    /// Fires the timed trigger now, in the lane or lanes that fire it, and waits until what came of it is delivered.
    /// Answers how many fires are through since.
    ///
    /// # Errors
    /// See [`FireError`].
    pub fn fire(&self) -> Result<u64, FireError> {
        let shared = &self.shared;
        shared.release().check_timer()?;
        if shared.steering.wish() != Wish::Run {
            return Err(FireError::Paused);
        }
        let timer = shared.controls().timer.clone();
        let scope = timer.map(|timer| timer.scope).unwrap_or_default();
        let first = shared.spec.source.topics.first().cloned().unwrap_or_default();
        let here = match scope {
            TimerScope::Pipeline => shared.has_partition(Some((&first, 0))),
            TimerScope::Lane => shared.has_partition(None),
        };
        if !here {
            return Err(FireError::NotHere(first));
        }
        let before = shared.counters.fires.load(Relaxed);
        shared.steering.ask_to_fire();
        let deadline = Instant::now() + FIRED_WITHIN;
        while Instant::now() < deadline {
            let fired = shared.counters.fires.load(Relaxed) - before;
            if fired > 0 {
                return Ok(fired);
            }
            std::thread::sleep(LOOK);
        }
        Err(FireError::Slow)
    }
}
