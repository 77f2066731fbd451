//! The Redis sink: pipelines of commands, and each record's own answer.
//!
//! ```text
//! lane:    records -> encode -> pool
//! worker:  request -> commands -> client -> classify -> delivered | again | dead letter | stop
//! ```
//!
//! One server, or whatever stands behind its address; a cluster is refused. What a record becomes, and what happens
//! when it is delivered again, is told in `encode`; how the newest wins, in `guard`.

mod classify;
mod client;
mod commands;
mod encode;
mod guard;

use std::sync::Arc;

use client::Connection;
use encode::Encoder;
use tokio::runtime::Handle;

use super::{Sink, SinkError, SinkStats, delivery::Desk, pool::Pool, server::ServerSink, worker::RequestLimits};
use crate::config;

/// Redis holds the answers of a pipeline in memory until the last: larger ones gain nothing.
const LIMITS: RequestLimits = RequestLimits { records: 1000, bytes: 1 << 20 };

/// Starts the workers on `runtime`, each with a connection of its own. They connect with the first records.
///
/// # Errors
/// An address that cannot be used.
pub fn redis(
    name: &str,
    sink: &config::RedisSink,
    runtime: &Handle,
    stats: Arc<SinkStats>,
) -> Result<impl Sink + use<>, SinkError> {
    let encoder = Encoder::new(sink);
    let clients = (0..sink.workers.max(1)).map(|_| Connection::new(sink, &encoder));
    let clients = clients.collect::<Result<Vec<_>, _>>();
    let clients = clients.map_err(|reason| SinkError { sink: name.into(), reason })?;
    let pool = Pool::spawn(Desk::new(name, stats), clients, LIMITS, runtime);
    Ok(ServerSink { encoder, pool })
}
