//! The Elasticsearch sink, for OpenSearch as well: bulk requests, and each record's own answer.
//!
//! ```text
//! lane:    records -> encode -> pool                                  once, into the bytes that are sent
//! worker:  request -> client -> classify -> delivered | again | dead letter | stop
//! ```
//!
//! Effectively once: a record delivered again has the same id, hence replaces itself, or is turned down as older than
//! what is there. Order holds per partition; where one id comes from several partitions, versions decide.

mod classify;
mod client;
mod encode;
mod index;

use std::sync::Arc;

use client::Nodes;
use encode::Encoder;
use tokio::runtime::Handle;

use super::{
    Settlement, Sink, SinkError, SinkStats, Ticket,
    delivery::{self, Desk},
    pool::Pool,
    worker::RequestLimits,
};
use crate::{batch::Batch, config, output::Record};

/// See the module's documentation.
pub struct ElasticsearchSink {
    encoder: Encoder,
    pool: Pool,
}

impl ElasticsearchSink {
    /// Starts the workers on `runtime`. They connect with the first records.
    ///
    /// # Errors
    /// An address, certificate or key that cannot be used.
    pub fn spawn(
        name: &str,
        sink: &config::ElasticsearchSink,
        runtime: &Handle,
        stats: Arc<SinkStats>,
    ) -> Result<Self, SinkError> {
        let nodes = Nodes::new(sink).map_err(|reason| SinkError { sink: name.into(), reason })?;
        let clients = (0..sink.workers.max(1)).map(|worker| nodes.clone().starting_at(worker));
        let limits = RequestLimits { records: sink.batch.records, bytes: sink.batch.bytes };
        let pool = Pool::spawn(Desk::new(name, stats), clients, limits, runtime);
        Ok(Self { encoder: Encoder::new(sink), pool })
    }
}

impl Sink for ElasticsearchSink {
    fn ready(&mut self) -> bool {
        self.pool.ready()
    }

    fn deliver(&mut self, ticket: Ticket, batch: &Batch, records: &mut dyn Iterator<Item = Record<'_>>) {
        let Self { encoder, pool } = self;
        let (payload, rejected) =
            delivery::encode(pool.desk(), records, |record, nth, payload| encoder.encode(batch, record, nth, payload));
        pool.submit(ticket, batch, payload, rejected);
    }

    fn poll(&mut self, settled: &mut Vec<Settlement>) {
        self.pool.poll(settled);
    }
}
