//! Transactions of a producer, with a consumer group's offsets in them (KIP-98, KIP-447).
//!
//! Every call may block up to its timeout, and none may be made while another runs. librdkafka sorts errors in three
//! (INTRODUCTION.md, "Transactional producer"): the same call again, which is done here until the time is over; abort;
//! and the producer is at its end. Whoever gets an error gives the producer up: the next one of the same transactional
//! id ends what was left open, before it answers to `init`.
//!
//! A call is made on a thread of its own, since librdkafka does not always heed its timeout: when the group's
//! coordinator goes away, `send_offsets` may wait for ever (librdkafka issues 5456 and 5511, open in 2.14). What does not
//! come back is left behind, with its client, and fenced by the next producer.

use std::{
    ptr::NonNull,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{client::Client, types::RDKafkaErrorCode};
use rdkafka_sys as sys;
use thiserror::Error;

use super::{
    super::{Consumer, KafkaError, Partition, Settings, failure::is_for_a_person, membership::GroupMetadata},
    Context, Producer, c_text,
};

/// A transaction cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot {what}: {reason}")]
pub struct TransactionError {
    what: &'static str,
    reason: String,
    /// A person has to look: permissions, or a timeout that the broker does not allow.
    pub is_configuration: bool,
}

impl TransactionError {
    pub fn new(what: &'static str, reason: impl ToString, is_configuration: bool) -> Self {
        Self { what, reason: reason.to_string(), is_configuration }
    }
}

/// Settings of a transactional producer that are not the user's: librdkafka asks for `message.timeout.ms` not above
/// `transaction.timeout.ms`. After a host has gone for good, readers of its topics wait as long for its last
/// transaction.
const DEFAULTS: [(&str, &str); 2] = [("transaction.timeout.ms", "30000"), ("message.timeout.ms", "25000")];

/// Pause before the same call again.
const RETRY: Duration = Duration::from_millis(20);

/// What librdkafka gets beyond a call's timeout, before the call counts as one that does not come back.
const GRACE: Duration = Duration::from_secs(3);

impl Producer {
    /// A producer for transactions. `id` is its own as long as it lives and the same after a restart: that is how the
    /// broker knows that the one before is gone.
    ///
    /// # Errors
    /// As [`Producer::new`].
    pub fn transactional(settings: &Settings, id: &str) -> Result<Self, KafkaError> {
        let mut settings = settings.clone();
        for (name, value) in DEFAULTS {
            if !settings.properties.iter().any(|(known, _)| known == name) {
                settings.properties.push((name.into(), value.into()));
            }
        }
        settings.properties.push(("transactional.id".into(), id.into()));
        Self::new(&settings)
    }

    /// Takes over from the producer before: its open transaction is ended. Once, before the first `begin`.
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub fn init_transactions(&self, timeout: Duration) -> Result<(), TransactionError> {
        // SAFETY: the client is alive.
        self.call("take over its transactions", timeout, |rk, left| unsafe {
            sys::rd_kafka_init_transactions(rk, left)
        })
    }

    /// # Errors
    /// See [`TransactionError`].
    pub fn begin_transaction(&self) -> Result<(), TransactionError> {
        // SAFETY: the client is alive.
        self.call("begin a transaction", Duration::ZERO, |rk, _| unsafe { sys::rd_kafka_begin_transaction(rk) })
    }

    /// Puts next offsets into the transaction: they count when it is committed, and only if `consumer` is still a
    /// member of its group.
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub fn send_offsets(
        &self,
        consumer: &Consumer,
        offsets: impl Iterator<Item = (Partition, i64)>,
        timeout: Duration,
    ) -> Result<(), TransactionError> {
        const WHAT: &str = "put offsets into the transaction";
        let failed = |reason: String| TransactionError { what: WHAT, reason, is_configuration: false };
        let list = consumer.offsets(offsets).map_err(|error| failed(error.to_string()))?;
        // Asked for now: it changes with every rebalance.
        let member = GroupMetadata::of(consumer).ok_or_else(|| failed("the consumer has no group".into()))?;
        // SAFETY: client, list and metadata are alive.
        self.call(WHAT, timeout, move |rk, left| unsafe {
            sys::rd_kafka_send_offsets_to_transaction(rk, list.ptr(), member.raw(), left)
        })
    }

    /// Commits. Everything that was produced should have been reported before: this call serves no reports.
    ///
    /// # Errors
    /// See [`TransactionError`]. Whether it was committed is not known then.
    pub fn commit_transaction(&self, timeout: Duration) -> Result<(), TransactionError> {
        // SAFETY: the client is alive.
        self.call("commit the transaction", timeout, |rk, left| unsafe { sys::rd_kafka_commit_transaction(rk, left) })
    }

    fn call(
        &self,
        what: &'static str,
        timeout: Duration,
        call: impl Fn(*mut sys::rd_kafka_t, i32) -> *mut sys::rd_kafka_error_t + Send + 'static,
    ) -> Result<(), TransactionError> {
        let failed = |reason: String| TransactionError { what, reason, is_configuration: false };
        let (done, outcome) = mpsc::sync_channel(1);
        // It keeps the client alive, however long the call takes.
        let client = Arc::clone(&self.client);
        let caller = move || drop(done.send(repeat(&client, what, timeout, call)));
        thread::Builder::new().name("transaction".into()).spawn(caller).map_err(|error| failed(error.to_string()))?;
        outcome.recv_timeout(timeout + GRACE).unwrap_or_else(|_| Err(failed("the call does not come back".into())))
    }
}

/// Makes a call until it succeeds, must not be repeated, or its time is over.
fn repeat(
    client: &Client<Context>,
    what: &'static str,
    timeout: Duration,
    call: impl Fn(*mut sys::rd_kafka_t, i32) -> *mut sys::rd_kafka_error_t,
) -> Result<(), TransactionError> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left_ms = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        let Some(error) = NonNull::new(call(client.native_ptr(), left_ms)) else { return Ok(()) };
        // SAFETY: an error object that is ours to read and to destroy.
        let (code, again, reason) = unsafe {
            let error = error.as_ptr();
            let code = RDKafkaErrorCode::from(sys::rd_kafka_error_code(error));
            let again = sys::rd_kafka_error_is_retriable(error) != 0;
            let reason = c_text(sys::rd_kafka_error_string(error));
            sys::rd_kafka_error_destroy(error);
            (code, again, reason)
        };
        if !again || left <= RETRY {
            return Err(TransactionError { what, reason, is_configuration: is_for_a_person(code) });
        }
        thread::sleep(RETRY);
    }
}
