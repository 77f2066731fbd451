//! `/metrics` in Prometheus' text format. The data plane counts in plain atomics; they are read here, at a scrape.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::{extract::State, http::header::CONTENT_TYPE, response::IntoResponse};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::{Api, Problem};
use crate::{
    control::{Controller, GuestMetric},
    pipeline::{Counters, Histogram, KeyValueCounts, Operations, SinkCounts, Snapshot, Status},
};

/// Metrics of the host and its pipelines; names begin with `wasmill_`.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    security(()),
    responses((status = 200, body = String, content_type = "application/openmetrics-text")),
)]
pub(super) async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    let text = api
        .call(|controller| {
            let mut registry = Registry::with_prefix("wasmill");
            registry.register_collector(Box::new(Scrape(controller.clone())));
            let mut text = String::new();
            encode(&mut text, &registry)
                .map_err(|error| crate::control::ControlError::Internal(format!("metrics: {error}")))?;
            Ok(text)
        })
        .await?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}

struct Scrape(Controller);

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrape")
    }
}

/// Counters of a pipeline: name, help, where it stands.
const COUNTERS: [(&str, &str, fn(&Counters) -> &AtomicU64); 11] = [
    ("records_in", "rows that are through", |counters| &counters.records_in),
    ("records_out", "output records delivered", |counters| &counters.records_out),
    ("records_dropped", "rows dropped on purpose", |counters| &counters.dropped),
    ("records_dead_lettered", "rows written to the dead letters", |counters| &counters.dead_lettered),
    ("records_retried", "rows of batches that the module asked to have again", |counters| &counters.retried),
    ("batches", "batches that are through", |counters| &counters.batches),
    ("bytes_in", "bytes of keys and values read", |counters| &counters.bytes_in),
    ("rebalances", "times that partitions were taken up", |counters| &counters.rebalances),
    ("timer_fires", "fires of the timed trigger that are through", |counters| &counters.fires),
    ("instances_recycled", "instances replaced because of the memory that they had gathered", |counters| {
        &counters.recycled
    }),
    ("module_nanoseconds", "wall time spent in the module", |counters| &counters.module_ns),
];

/// Histograms of a pipeline: name, help, where it stands.
const HISTOGRAMS: [(&str, &str, fn(&Counters) -> &Histogram); 4] = [
    ("batch", "wall time of a batch in the module", |counters| &counters.batch_time),
    ("batch_gap", "from a batch to the next of the same release, in a lane, without waiting", |counters| {
        &counters.batch_gap
    }),
    ("swap_gap", "from the last batch of a release to the first of the next, in a lane, without waiting", |counters| {
        &counters.swap_gap
    }),
    ("swap", "what a swap itself takes of a lane: one instance is let go of, another taken up", |counters| {
        &counters.swap_time
    }),
];

/// Counters of a sink: name, help, where it stands.
const SINK_COUNTERS: [(&str, &str, fn(&SinkCounts) -> u64); 6] = [
    ("sink_records_delivered", "records that are at the server", |sink| sink.delivered),
    ("sink_records_rejected", "records that the server will never take", |sink| sink.rejected),
    ("sink_records_retried", "times that a record was sent again", |sink| sink.retried),
    ("sink_records_ignored", "delivered records that changed nothing: the same or newer was there", |sink| {
        sink.ignored
    }),
    ("sink_requests", "requests sent", |sink| sink.requests),
    ("sink_bytes", "bytes of encoded records sent", |sink| sink.bytes),
];

/// Calls of the granted store, by kind.
const OPERATIONS: [(&str, fn(&Operations) -> u64); 6] = [
    ("get", |operations| operations.get),
    ("set", |operations| operations.set),
    ("delete", |operations| operations.delete),
    ("exists", |operations| operations.exists),
    ("increment", |operations| operations.increment),
    ("list", |operations| operations.list),
];

/// Counters of the granted store: name, help, where it stands.
const KEYVALUE_COUNTERS: [(&str, &str, fn(&KeyValueCounts) -> u64); 4] = [
    ("keyvalue_keys", "keys that the module named to its store", |store| store.keys),
    ("keyvalue_misses", "keys that it looked for and that were not there", |store| store.misses),
    ("keyvalue_errors", "operations that failed", |store| store.errors),
    ("keyvalue_nanoseconds", "time that the module waited for its store", |store| store.nanoseconds),
];

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let controller = &self.0;
        for (name, help, counter) in COUNTERS {
            let metric = ConstCounter::new(0_u64);
            let mut family = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            let mut result = Ok(());
            controller.for_each_counters(|pipeline, counters, _| {
                let value = ConstCounter::new(counter(counters).load(Relaxed));
                let labels = [("pipeline", pipeline)];
                let encoded = family.encode_family(&labels).and_then(|encoder| value.encode(encoder));
                result = std::mem::replace(&mut result, Ok(())).and(encoded);
            });
            result?;
        }
        for (name, help, histogram) in HISTOGRAMS {
            let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
            let mut result = Ok(());
            controller.for_each_counters(|pipeline, counters, _| {
                let Snapshot { seconds, count, buckets } = histogram(counters).snapshot();
                let labels = [("pipeline", pipeline)];
                let encoded = family
                    .encode_family(&labels)
                    .and_then(|mut encoder| encoder.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None));
                result = std::mem::replace(&mut result, Ok(())).and(encoded);
            });
            result?;
        }
        let statuses = controller.statuses();
        for (name, help, count) in SINK_COUNTERS {
            let metric = ConstCounter::new(0_u64);
            let mut family = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            for status in &statuses {
                for (sink, counts) in &status.sinks {
                    let labels = [("pipeline", status.pipeline.as_str()), ("sink", sink.as_str())];
                    ConstCounter::new(count(counts)).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        gauges(&mut encoder, "lag_records", "records not yet through", None, &statuses, |status| status.lag)?;
        let up = |status: &Status| Some(i64::from(status.state == crate::pipeline::State::Running));
        gauges(&mut encoder, "pipeline_running", "1 while the pipeline runs", None, &statuses, up)?;
        let release = |status: &Status| i64::try_from(status.release).ok();
        gauges(&mut encoder, "release", "number of the live release", None, &statuses, release)?;
        keyvalue(&mut encoder, &statuses)?;
        self.memory(&mut encoder)?;
        self.guests(&mut encoder)
    }
}

impl Scrape {
    fn memory(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let metric = ConstGauge::new(0_i64);
        let help = "memories and tables of an instance, as of its last batch";
        let mut family = encoder.encode_descriptor("guest_memory", help, Some(&Unit::Bytes), metric.metric_type())?;
        let mut result = Ok(());
        self.0.for_each_counters(|pipeline, counters, _| {
            let value = ConstGauge::new(counters.guest_memory.load(Relaxed) as i64);
            let labels = [("pipeline", pipeline)];
            let encoded = family.encode_family(&labels).and_then(|encoder| value.encode(encoder));
            result = std::mem::replace(&mut result, Ok(())).and(encoded);
        });
        result
    }

    /// The modules' own metrics, under `wasmill_guest`, by name.
    fn guests(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let metric = ConstGauge::new(0.0_f64);
        let help = "what modules counted, and the sum of what they observed";
        let mut family = encoder.encode_descriptor("guest", help, None, metric.metric_type())?;
        let mut result = Ok(());
        self.0.for_each_counters(|pipeline, _, metrics| {
            for (name, metric) in metrics {
                let value = ConstGauge::new(match metric {
                    GuestMetric::Count(count) => *count as f64,
                    GuestMetric::Observed { sum, .. } => *sum,
                });
                let labels = [("pipeline", pipeline), ("name", name.as_str())];
                let encoded = family.encode_family(&labels).and_then(|encoder| value.encode(encoder));
                result = std::mem::replace(&mut result, Ok(())).and(encoded);
            }
        });
        result
    }
}

/// Of the pipelines whose modules are granted a store.
fn keyvalue(encoder: &mut DescriptorEncoder<'_>, statuses: &[Status]) -> Result<(), std::fmt::Error> {
    let granted = || statuses.iter().filter_map(|status| Some((status.pipeline.as_str(), status.keyvalue?)));
    let metric = ConstCounter::new(0_u64);
    let help = "calls of the module to its store";
    let mut family = encoder.encode_descriptor("keyvalue_operations", help, None, metric.metric_type())?;
    for (pipeline, store) in granted() {
        for (operation, count) in OPERATIONS {
            let labels = [("pipeline", pipeline), ("operation", operation)];
            ConstCounter::new(count(&store.operations)).encode(family.encode_family(&labels)?)?;
        }
    }
    for (name, help, count) in KEYVALUE_COUNTERS {
        let mut family = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
        for (pipeline, store) in granted() {
            ConstCounter::new(count(&store)).encode(family.encode_family(&[("pipeline", pipeline)])?)?;
        }
    }
    let of = |count: fn(&KeyValueCounts) -> Option<u64>| {
        move |status: &Status| i64::try_from(count(status.keyvalue.as_ref()?)?).ok()
    };
    let (entries, bytes) = (of(|store| store.entries), of(|store| store.bytes));
    gauges(encoder, "keyvalue_entries", "entries of a store in memory", None, statuses, entries)?;
    let help = "keys, values and overhead of a store in memory";
    gauges(encoder, "keyvalue", help, Some(&Unit::Bytes), statuses, bytes)
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    statuses: &[Status],
    value: impl Fn(&Status) -> Option<i64>,
) -> Result<(), std::fmt::Error> {
    let metric = ConstGauge::new(0_i64);
    let mut family = encoder.encode_descriptor(name, help, unit, metric.metric_type())?;
    for status in statuses {
        if let Some(value) = value(status) {
            let labels = [("pipeline", status.pipeline.as_str())];
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
