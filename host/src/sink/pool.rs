//! The workers of one sink, as its lane sees them: whether there is room, a delivery in, settlements out.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use tokio::{runtime::Handle, sync::mpsc, task::JoinSet};

use super::{
    Rejected, Settlement, Ticket,
    delivery::{Delivery, Desk, Payload},
    worker::{Client, RequestLimits, Worker},
};
use crate::batch::Batch;

/// Deliveries that may wait for one worker.
const DELIVERIES_MAX: usize = 1024;

/// Records in flight before `ready` says no: as with the Kafka sink.
const RECORDS_IN_FLIGHT_MAX: usize = 100_000;

/// The same in encoded bytes. Each worker can have a full request under way and the next one waiting, within this.
const BYTES_IN_FLIGHT: std::ops::RangeInclusive<usize> = (8 << 20)..=(64 << 20);

/// See the module's documentation. Dropping it ends the workers.
pub(super) struct Pool {
    desk: Arc<Desk>,
    queues: Vec<mpsc::Sender<Delivery>>,
    bytes_max: usize,
    /// Aborted with the pool; a worker is always at a point where it can be.
    _workers: JoinSet<()>,
}

impl Pool {
    /// Starts one worker for each client, at least one. The first finds out whether the server can be reached.
    pub(super) fn spawn<C: Client>(
        desk: Arc<Desk>,
        clients: impl IntoIterator<Item = C>,
        limits: RequestLimits,
        runtime: &Handle,
    ) -> Self {
        let mut workers = JoinSet::new();
        let mut queues = Vec::new();
        for (index, client) in clients.into_iter().enumerate() {
            let (sender, queue) = mpsc::channel(DELIVERIES_MAX);
            let mut worker = Worker::new(client, queue, Arc::clone(&desk), limits);
            worker.greets = index == 0;
            workers.spawn_on(worker.run(), runtime);
            queues.push(sender);
        }
        let bytes_max = (2 * limits.bytes * queues.len()).clamp(*BYTES_IN_FLIGHT.start(), *BYTES_IN_FLIGHT.end());
        Self { desk, queues, bytes_max, _workers: workers }
    }

    pub(super) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Whether another delivery may come, whatever its partition.
    pub(super) fn ready(&self) -> bool {
        let (records, bytes) = self.desk.load();
        // A worker that ended takes what comes: it settles it as unknown.
        let has_room = |queue: &mpsc::Sender<Delivery>| queue.is_closed() || queue.capacity() > 0;
        records < RECORDS_IN_FLIGHT_MAX && bytes < self.bytes_max && self.queues.iter().all(has_room)
    }

    /// Takes a delivery. One without records is settled at once.
    pub(super) fn submit(&self, ticket: Ticket, batch: &Batch, payload: Payload, rejected: Vec<Rejected>) {
        let delivery = Delivery::new(&self.desk, ticket, payload, rejected);
        if !delivery.is_open() {
            return;
        }
        let mut topic = DefaultHasher::new();
        batch.topic.hash(&mut topic);
        let place = (topic.finish() % self.queues.len() as u64) as usize + batch.partition.unsigned_abs() as usize;
        // What cannot be handed over is dropped, and settled by that.
        drop(self.queues[place % self.queues.len()].try_send(delivery));
    }

    pub(super) fn poll(&self, settled: &mut Vec<Settlement>) {
        self.desk.take_settled(settled);
    }
}
