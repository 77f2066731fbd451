//! A sink that speaks to a server: encodes in the lane, and leaves sending and waiting to its workers.

use super::{
    Contact, Settlement, Sink, Ticket,
    delivery::{self, Encode},
    pool::Pool,
};
use crate::{batch::Batch, output::Record};

/// See the module's documentation.
pub(super) struct ServerSink<E> {
    pub(super) encoder: E,
    pub(super) pool: Pool,
}

impl<E: Encode> Sink for ServerSink<E> {
    fn contact(&self) -> Contact {
        self.pool.desk().contact()
    }

    fn ready(&mut self) -> bool {
        self.pool.ready()
    }

    fn deliver(&mut self, ticket: Ticket, batch: &Batch, records: &mut dyn Iterator<Item = Record<'_>>) {
        let Self { encoder, pool } = self;
        let (payload, rejected) = delivery::encode(pool.desk(), encoder, batch, records);
        pool.submit(ticket, batch, payload, rejected);
    }

    fn poll(&mut self, settled: &mut Vec<Settlement>) {
        self.pool.poll(settled);
    }
}
