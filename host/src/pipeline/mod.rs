//! A running pipeline: its lanes, the release that they run, and what they report.
//!
//! Each lane is an OS thread under a small supervisor: a lane that is stuck is thrown away and a new one starts from
//! what is committed, with a growing pause; one that needs a person waits for a swap or a resume. Nothing is lost
//! either way: offsets are committed only for what was settled.

mod ahead;
mod backoff;
mod build;
mod by_hand;
mod contact;
mod controls;
mod dead_letter;
mod flight;
mod gap;
mod handover;
mod histogram;
mod isolate;
mod lane;
pub mod ledger;
mod refused;
mod release;
mod seek;
mod shared;
mod status;
mod steer;
mod steering;
mod tally;
mod timed;
mod transaction;
mod transform;
mod work;

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use backoff::Backoff;
pub use build::BuildError;
pub use by_hand::{ByHandError, Delivered};
pub use controls::{Trigger, now};
use flight::Stuck;
pub use histogram::{Histogram, Snapshot};
use lane::{End, Lane};
pub use release::{ModuleId, PrepareError, Release, check_timer};
pub use seek::{Group, Move, Moves, Places, SeekError, SeekTo};
use shared::Shared;
pub use shared::{Began, OnBegan};
pub use status::{Counters, Counts, PartitionStatus, Partitions, State, Status, SwapGaps};
pub use steer::{FireError, Resting, Steer};
use steering::Wish;

use crate::config;
pub use crate::{
    grants::{KeyValueCounts, Operations},
    sink::SinkCounts,
};

/// Pause before a stuck lane starts again.
const RESTART: Backoff = Backoff { from: Duration::from_millis(200), to: Duration::from_secs(30) };

/// A lane that ran this long starts again without a growing pause.
const SETTLED_AFTER: Duration = Duration::from_secs(60);

/// What a pipeline needs of its surroundings.
#[derive(Clone)]
pub struct Deps {
    /// Where sinks that speak to servers run their workers.
    pub runtime: tokio::runtime::Handle,
    /// Told where each release began.
    pub began: OnBegan,
    /// Names this host among those that run the same pipeline, also after a restart: transactional ids are made of it.
    pub instance: Arc<str>,
}

/// How a pipeline ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// Batches whose deliveries were not settled in time: they will be read and delivered again.
    pub left: usize,
}

/// See the module's documentation. Dropping it stops the lanes at once.
pub struct Pipeline {
    shared: Arc<Shared>,
    lanes: Vec<JoinHandle<usize>>,
}

impl Pipeline {
    /// Starts the lanes. Connecting goes on in the background.
    ///
    /// # Errors
    /// What the configuration asks for cannot be built: said before anything is consumed.
    pub fn start(
        spec: Arc<config::Pipeline>,
        release: Arc<Release>,
        deps: Deps,
        paused: bool,
    ) -> Result<Self, BuildError> {
        build::check(&spec, &deps)?;
        let lanes = spec.source.lanes;
        let name = spec.name.clone();
        let shared = Arc::new(Shared::new(spec, release, Arc::clone(&deps.began), paused));
        let mut started = Self { shared: Arc::clone(&shared), lanes: Vec::new() };
        for index in 0..lanes {
            let (shared, deps) = (Arc::clone(&shared), deps.clone());
            let thread = std::thread::Builder::new()
                .name(format!("lane-{index}-{name}"))
                .spawn(move || supervise(&shared, index, &deps))
                .map_err(BuildError::Thread)?;
            started.lanes.push(thread);
        }
        Ok(started)
    }

    /// Whether the pipeline could be started: builds its parts and throws them away. Reads nothing, writes nothing.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn check(spec: &config::Pipeline, deps: &Deps) -> Result<(), BuildError> {
        build::check(spec, deps)
    }

    /// Makes another release the live one, at the next batch boundary of each lane. Touches no consumer, so the group
    /// sees nothing.
    pub fn swap(&self, release: Arc<Release>) {
        let before = self.shared.swap(release);
        before.retire();
    }

    pub fn release(&self) -> Arc<Release> {
        self.shared.release()
    }

    /// To steer the pipeline with, where the call may take long.
    pub fn steer(&self) -> Steer {
        Steer::new(Arc::clone(&self.shared))
    }

    /// Takes up the controls of the trigger of this text, from the next batch on: no release, and no rebalance.
    pub fn control(&self, spec: &config::Pipeline) {
        self.shared.set_controls(controls::Controls::of(spec));
    }

    pub fn pause(&self) {
        self.shared.steering.set_wish(Wish::Pause);
    }

    pub fn resume(&self) {
        self.shared.steering.set_wish(Wish::Run);
    }

    pub fn status(&self) -> Status {
        self.shared.status()
    }

    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Delivers and commits what is in flight, for at most `deadline`, and leaves the group.
    pub fn stop(mut self, deadline: Duration) -> StopReport {
        self.shared.steering.set_wish(Wish::Stop(Instant::now() + deadline));
        let left = self.lanes.drain(..).map(|lane| lane.join().unwrap_or(0)).sum();
        StopReport { left }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.shared.steering.set_wish(Wish::Stop(Instant::now()));
    }
}

/// Runs lanes until the pipeline stops; answers what the last one left in flight.
fn supervise(shared: &Shared, index: usize, deps: &Deps) -> usize {
    let mut restarts = 0;
    loop {
        if let Wish::Rest(_) = shared.steering.wish() {
            shared.steering.rest(index, 0);
        }
        let started = Instant::now();
        let (_, mut seen) = shared.steering.look();
        let end = match start(shared, index, deps) {
            Ok(lane) => lane.run(&mut seen),
            Err(end) => end,
        };
        let pipeline = &shared.spec.name;
        shared.set_partitions(index, vec![]);
        match end {
            End::Stopped { left } => return left,
            End::Resting { left } => {
                shared.steering.rest(index, left);
                restarts = 0;
            }
            End::Stuck(Stuck::Failed(reason)) => {
                tracing::error!(pipeline, lane = index, reason, "pipeline failed");
                shared.set_trouble(index, Some((State::Failed, reason)));
                // What was wished while its clients were closed counts, too.
                shared.steering.wait_for_turn(seen);
                restarts = 0;
            }
            End::Stuck(Stuck::Restart(reason)) => {
                restarts = if started.elapsed() > SETTLED_AFTER { 0 } else { restarts + 1 };
                let pause = RESTART.wait(restarts, rand::random());
                tracing::warn!(pipeline, lane = index, reason, ?pause, "lane starts over from what is committed");
                shared.set_trouble(index, Some((State::Stalled, reason)));
                shared.steering.wait(pause);
            }
        }
        if let Wish::Stop(_) = shared.steering.wish() {
            shared.steering.drained(index, 0);
            return 0;
        }
        shared.set_trouble(index, None);
    }
}

/// Sinks first, the group last: nothing is consumed before everything is there.
fn start<'a>(shared: &'a Shared, index: usize, deps: &Deps) -> Result<Lane<'a>, End> {
    let failed = |error: BuildError| End::Stuck(Stuck::Failed(error.to_string()));
    let flight = build::sinks(shared, index, deps).map_err(failed)?;
    contact::wait(shared, index, &flight)?;
    let controls = shared.controls();
    let source = build::source(shared, &controls, index, deps).map_err(failed)?;
    Ok(Lane::new(shared, controls, index, source, flight, deps.runtime.clone()))
}
