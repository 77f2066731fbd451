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

use super::{Sink, SinkError, SinkStats, delivery::Desk, pool::Pool, server::ServerSink, worker::RequestLimits};
use crate::config;

/// Starts the workers on `runtime`. They connect with the first records.
///
/// # Errors
/// An address, certificate or key that cannot be used.
pub fn elasticsearch(
    name: &str,
    sink: &config::ElasticsearchSink,
    runtime: &Handle,
    stats: Arc<SinkStats>,
) -> Result<impl Sink + use<>, SinkError> {
    let nodes = Nodes::new(sink).map_err(|reason| SinkError { sink: name.into(), reason })?;
    let clients = (0..sink.workers.max(1)).map(|worker| nodes.clone().starting_at(worker));
    let limits = RequestLimits { records: sink.batch.records, bytes: sink.batch.bytes };
    let pool = Pool::spawn(Desk::new(name, stats), clients, limits, runtime);
    Ok(ServerSink { encoder: Encoder::new(sink), pool })
}
