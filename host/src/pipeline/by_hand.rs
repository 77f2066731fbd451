//! One batch delivered by hand: what a module answered, through the pipeline's routes to its sinks and dead letters,
//! without a lane. Sinks of its own are made for it and gone with it, so nothing that runs is in its way.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use thiserror::Error;

use super::{
    Deps,
    build::{self, BuildError},
    flight::Stuck,
    release::Release,
    status::Counters,
    timed::BY_HAND,
    transform::{Part, Transformed},
};
use crate::{batch::Batch, config, contact::Contact, direct::Unfit, output::Output};

/// How long it may take to reach the servers and to deliver.
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);

const LOOK: Duration = Duration::from_millis(2);

/// What was delivered of a batch by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Delivered {
    /// Output records; one that goes to several sinks counts once.
    pub records: u64,
    /// Rows written to the dead letters.
    pub dead_lettered: u64,
}

/// A batch by hand was not delivered, or not known to be.
#[derive(Debug, Error)]
pub enum ByHandError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("nothing was delivered: {0}")]
    Contact(String),
    #[error("it may be delivered in part: {0}")]
    Stuck(String),
}

impl Release {
    /// Delivers what the module answered for a batch, and waits until it is settled.
    ///
    /// # Errors
    /// See [`ByHandError`]: whether anything was delivered is said there.
    pub fn deliver_by_hand(
        &self,
        spec: &config::Pipeline,
        deps: &Deps,
        batch: Batch,
        output: Output,
    ) -> Result<Delivered, ByHandError> {
        let stuck = |stuck: Stuck| match stuck {
            Stuck::Restart(reason) | Stuck::Failed(reason) => ByHandError::Stuck(reason),
        };
        let unfit = Unfit::default();
        let mut flight = build::by_hand(spec, deps, &unfit)?;
        let deadline = Instant::now() + DELIVERED_WITHIN;
        loop {
            match flight.contact() {
                Contact::Made => break,
                // Once: `unfit` knows by now.
                Contact::Over(_) => flight = build::by_hand(spec, deps, &unfit)?,
                Contact::Failed(reason) => return Err(ByHandError::Contact(reason)),
                Contact::Waits(reason) if Instant::now() >= deadline => {
                    return Err(ByHandError::Contact(reason.unwrap_or_else(|| "a sink does not answer".into())));
                }
                Contact::Waits(_) => std::thread::sleep(LOOK),
            }
        }
        flight.take_over().map_err(|error| match stuck(error) {
            ByHandError::Stuck(reason) => ByHandError::Contact(reason),
            error => error,
        })?;
        let counters = Counters::default();
        let transformed = Transformed { parts: vec![Part { base: 0, output }], poison: vec![] };
        let batch = Batch { epoch: BY_HAND, ..batch };
        flight.deliver(batch, &transformed, self, &counters).map_err(stuck)?;
        while !flight.is_empty() {
            if Instant::now() >= deadline {
                let sinks: Vec<&str> = flight.waiting_sinks().collect();
                return Err(ByHandError::Stuck(format!("no answer in {DELIVERED_WITHIN:?} by {}", sinks.join(", "))));
            }
            flight.settle(self, &counters).map_err(stuck)?;
            std::thread::sleep(LOOK);
        }
        flight.commit_alone().map_err(stuck)?;
        let (records, dead) = (counters.records_out.load(Relaxed), counters.dead_lettered.load(Relaxed));
        Ok(Delivered { records, dead_lettered: dead })
    }
}
