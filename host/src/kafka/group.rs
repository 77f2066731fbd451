//! The callbacks of a group consumer: they note what happens, and the owner of the consumer acts.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use parking_lot::Mutex;
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol},
    error::{KafkaError as RdError, KafkaResult},
    types::{RDKafkaErrorCode, RDKafkaRespErr},
};

use super::{
    KafkaError,
    consumer::{Event, Partition},
    log,
};

/// Errors noted between two polls, at most: an unreachable broker repeats itself.
const NOTED_MAX: usize = 256;

#[derive(Default)]
pub(super) struct Context {
    noted: Mutex<VecDeque<Event>>,
    /// A rebalance that the owner was told of and has not answered: librdkafka waits for the answer, also in a close.
    open: Mutex<Option<Rebalance>>,
    closing: AtomicBool,
}

/// What the group asks of the consumer.
struct Rebalance {
    assign: bool,
    partitions: TopicPartitionList,
}

impl Rebalance {
    /// Gives everything up.
    fn decline(&self, client: &BaseConsumer<Context>) {
        let answered = match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative if self.assign => client.incremental_assign(&TopicPartitionList::new()),
            RebalanceProtocol::Cooperative => client.incremental_unassign(&self.partitions),
            _ => client.unassign(),
        };
        if let Err(error) = answered {
            tracing::debug!(%error, "rebalance while closing");
        }
    }
}

impl Context {
    /// Moves what was noted into `events`.
    pub(super) fn take(&self, events: &mut Vec<Event>) {
        events.extend(self.noted.lock().drain(..));
    }

    /// The owner answers the rebalance that it was told of.
    pub(super) fn answer(&self) {
        self.open.lock().take();
    }

    /// From now on a rebalance is answered here, by giving everything up; so is one that waits for its answer.
    pub(super) fn close(&self, client: &BaseConsumer<Self>) {
        self.closing.store(true, Relaxed);
        let open = self.open.lock().take();
        if let Some(rebalance) = open {
            rebalance.decline(client);
        }
    }

    fn note(&self, event: Event) {
        let mut noted = self.noted.lock();
        let essential = matches!(event, Event::Assigned(_) | Event::Revoked { .. } | Event::Error { fatal: true, .. });
        if essential || noted.len() < NOTED_MAX {
            noted.push_back(event);
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        log::write(level as i32, fac, message);
    }

    fn error(&self, error: RdError, reason: &str) {
        self.note(Event::Error {
            error: KafkaError::new("consumer", format!("{reason} ({error})")),
            fatal: matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::Fatal)),
        });
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, client: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assign = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let rebalance = Rebalance { assign, partitions: list.clone() };
        if self.closing.load(Relaxed) {
            return rebalance.decline(client);
        }
        *self.open.lock() = Some(rebalance);
        let partitions = from_list(list);
        let event = if assign {
            Event::Assigned(partitions)
        } else {
            Event::Revoked { partitions, lost: client.assignment_lost() }
        };
        self.note(event);
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result
            && error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset)
        {
            self.note(Event::CommitFailed(KafkaError::new("commit offsets", error)));
        }
    }
}

pub(super) fn error_event(error: &RdError) -> Event {
    let fatal = matches!(error, RdError::MessageConsumptionFatal(_));
    Event::Error { error: KafkaError::new("consumer", error), fatal }
}

fn from_list(list: &TopicPartitionList) -> Vec<Partition> {
    // Guards rust-rdkafka #681: `elements` of a list without capacity reads a null pointer.
    if list.capacity() == 0 {
        return vec![];
    }
    list.elements()
        .iter()
        .map(|element| Partition { topic: element.topic().into(), partition: element.partition() })
        .collect()
}
