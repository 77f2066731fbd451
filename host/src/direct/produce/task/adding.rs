//! Which partitions are in the open transaction: no batch is sent to one that its coordinator does not know of.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{Done, Place, Task, Waiting};
use crate::{
    direct::transaction::{Denied, Transactor},
    kafka::Failure,
};

pub(super) struct Adding {
    pub(super) transactor: Arc<Transactor>,
    /// The transaction that the rest is about.
    number: u64,
    added: HashSet<Place>,
    /// Something is to be sent to them.
    wanted: BTreeSet<Place>,
    /// Of the request under way.
    asked: BTreeSet<Place>,
}

impl Adding {
    pub(super) fn new(transactor: Arc<Transactor>) -> Self {
        let number = transactor.number();
        Self { transactor, number, added: HashSet::new(), wanted: BTreeSet::new(), asked: BTreeSet::new() }
    }

    /// Notices that another transaction begins. To be called with the slots locked: what the lane puts into them is of
    /// the transaction that counts by then.
    pub(super) fn look(&mut self) {
        let number = self.transactor.number();
        if std::mem::replace(&mut self.number, number) != number {
            self.added.clear();
        }
    }

    pub(super) fn want(&mut self, place: Place) {
        if !self.added.contains(&place) && !self.asked.contains(&place) {
            self.wanted.insert(place);
        }
    }

    pub(super) fn has(&self, place: &Place) -> bool {
        self.added.contains(place)
    }

    /// One request with all that are wanted, one request at a time.
    fn next(&mut self, names: &[Arc<str>]) -> Option<Waiting> {
        if !self.asked.is_empty() || self.wanted.is_empty() {
            return None;
        }
        self.asked = std::mem::take(&mut self.wanted);
        let name = |(topic, partition): &Place| (Arc::clone(&names[*topic as usize]), *partition as i32);
        let add = Arc::clone(&self.transactor).add(self.asked.iter().map(name).collect());
        Some(Box::pin(async move { Done::Added(add.await) }))
    }
}

impl Task {
    /// Adds partitions that have something, as soon as that is known: the batch goes on filling meanwhile.
    pub(super) fn add(&mut self) {
        let Some(adding) = self.adding.as_mut().filter(|_| self.identity.is_some()) else { return };
        self.waiting.extend(adding.next(&self.names));
    }

    pub(super) fn added(&mut self, outcome: Result<(), Denied>) {
        let Some(adding) = &mut self.adding else { return };
        let places = std::mem::take(&mut adding.asked);
        match outcome {
            Ok(()) => adding.added.extend(places),
            Err(Denied { reason, is_configuration }) => {
                let reason = format!("no partition can be added to the transaction: {reason}");
                self.refuse(&if is_configuration {
                    Failure::Configuration(reason)
                } else {
                    Failure::Transient(reason)
                });
            }
        }
    }
}
