//! The callbacks of a group consumer: they note what happens, and the owner of the consumer acts.

use std::{
    collections::VecDeque,
    ptr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError as RdError, KafkaResult},
    types::{RDKafkaErrorCode, RDKafkaRespErr},
};
use rdkafka_sys as sys;

use super::{
    KafkaError,
    consumer::{Event, Partition, Trouble},
    log,
};

/// Errors noted between two polls, at most: an unreachable broker repeats itself.
const NOTED_MAX: usize = 256;

/// For an answer that is given while closing.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Context {
    /// Partitions come and go one by one (KIP-429), not all at once.
    pub(super) cooperative: bool,
    noted: Mutex<VecDeque<Event>>,
    /// A rebalance that the owner was told of and has not answered: librdkafka waits for the answer, also in a close.
    open: Mutex<Option<Rebalance>>,
    closing: AtomicBool,
    /// Answers that were given while closing: see [`Context::decline`].
    answers: Mutex<Vec<JoinHandle<()>>>,
}

/// What the group asks of the consumer.
struct Rebalance {
    assign: bool,
    partitions: TopicPartitionList,
}

/// A client on another thread than its own.
struct Native(*mut sys::rd_kafka_t);

// SAFETY: librdkafka is thread-safe; whoever has answers under way keeps the client alive (`Context::answered`).
unsafe impl Send for Native {}

impl Native {
    /// Gives everything up. May never come back: librdkafka leaves a call unanswered that comes when it has left the
    /// group (rdkafka_cgrp.c, "served with a no-op").
    fn decline(self, cooperative: bool, rebalance: &Rebalance) {
        let Self(rk) = self;
        let nothing = TopicPartitionList::new();
        // SAFETY: client and lists are alive; an error object is ours to destroy.
        unsafe {
            let error = match (cooperative, rebalance.assign) {
                (true, true) => sys::rd_kafka_incremental_assign(rk, nothing.ptr()),
                (true, false) => sys::rd_kafka_incremental_unassign(rk, rebalance.partitions.ptr()),
                (false, _) => {
                    sys::rd_kafka_assign(rk, ptr::null());
                    ptr::null_mut()
                }
            };
            if !error.is_null() {
                sys::rd_kafka_error_destroy(error);
            }
        }
    }
}

impl Context {
    pub(super) fn new(cooperative: bool) -> Self {
        Self {
            cooperative,
            noted: Mutex::default(),
            open: Mutex::default(),
            closing: AtomicBool::new(false),
            answers: Mutex::default(),
        }
    }

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
            self.decline(client, rebalance);
        }
    }

    /// Answers on a thread of its own, and waits for it within reason.
    fn decline(&self, client: &BaseConsumer<Self>, rebalance: Rebalance) {
        if client.closed() {
            return;
        }
        let (native, cooperative) = (Native(client.client().native_ptr()), self.cooperative);
        let answer = thread::Builder::new().name("rebalance".into());
        match answer.spawn(move || native.decline(cooperative, &rebalance)) {
            Ok(answer) => self.answers.lock().push(answer),
            Err(error) => tracing::warn!(%error, "a rebalance cannot be answered"),
        }
        self.answered(ANSWER_WAIT);
    }

    /// Waits for answers under way; whether there are none. Until then the client has to stay alive.
    pub(super) fn answered(&self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            let mut answers = self.answers.lock();
            answers.retain(|answer| !answer.is_finished());
            if answers.is_empty() || Instant::now() >= deadline {
                return answers.is_empty();
            }
            drop(answers);
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn note(&self, event: Event) {
        let mut noted = self.noted.lock();
        let essential = matches!(
            event,
            Event::Assigned(_)
                | Event::Revoked { .. }
                | Event::CommitFailed(_)
                | Event::Error { trouble: Trouble::Fatal | Trouble::Refused, .. }
        );
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
            error: KafkaError::new("consumer", format!("{} ({error})", steady(reason))),
            trouble: match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::Fatal) => Trouble::Fatal,
                Some(RDKafkaErrorCode::Authentication) => Trouble::Refused,
                Some(RDKafkaErrorCode::AllBrokersDown) => Trouble::Unreached,
                _ => Trouble::Passing,
            },
        });
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, client: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assign = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let rebalance = Rebalance { assign, partitions: list.clone() };
        if self.closing.load(Relaxed) {
            return self.decline(client, rebalance);
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

/// Without what librdkafka counts in it (`(after 2ms in state CONNECT, 3 identical error(s) suppressed)`): the same
/// trouble has the same words each time.
fn steady(reason: &str) -> &str {
    reason.strip_suffix(')').and_then(|reason| reason.rsplit_once(" (after ")).map_or(reason, |(words, _)| words)
}

pub(super) fn error_event(error: &RdError) -> Event {
    let trouble = match error {
        RdError::MessageConsumptionFatal(_) => Trouble::Fatal,
        // These come as codes alone; their words come by `Context::error`.
        RdError::MessageConsumption(
            RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve,
        ) => Trouble::Unreached,
        _ => Trouble::Passing,
    };
    Event::Error { error: KafkaError::new("consumer", error), trouble }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_has_the_same_words_each_time() {
        let said = "a:9/bootstrap: Connect to a:9 failed: refused";
        assert_eq!(steady(&format!("{said} (after 0ms in state CONNECT)")), said);
        assert_eq!(steady(&format!("{said} (after 2ms in state CONNECT, 1 identical error(s) suppressed)")), said);
        assert_eq!(steady("3/3 brokers are down (or so)"), "3/3 brokers are down (or so)");
    }
}
