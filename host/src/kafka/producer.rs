//! A producer whose deliveries are reported by the array.
//!
//! One thread produces and polls. A record carries a number of the caller's (its opaque), and [`Producer::poll`] gives
//! the numbers back: no allocation, no future and no atomic per record. Topics are handles, looked up once: naming a
//! topic on every record would walk librdkafka's list of topics under the client's lock.

use std::{
    collections::HashMap,
    ffi::{CStr, CString, c_char, c_void},
    ptr::{self, NonNull},
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    ClientContext,
    client::Client,
    error::KafkaError as RdError,
    types::{RDKafkaErrorCode, RDKafkaType},
};
use rdkafka_sys as sys;
use sys::rd_kafka_vtype_t as vtype;

use super::{
    KafkaError, Settings,
    failure::{Failure, classify},
    log,
};
use crate::output::Record;

mod transactions;
pub use transactions::TransactionError;

/// Topics that one producer keeps handles for: librdkafka never forgets a topic, and a module chooses the names.
const TOPICS_MAX: usize = 10_000;

/// `RD_KAFKA_PARTITION_UA`: the partitioner decides.
const UNASSIGNED: i32 = -1;

/// Kafka's own limit (org.apache.kafka.common.internals.Topic).
const TOPIC_NAME_MAX: usize = 249;

/// See the module's documentation.
pub struct Producer {
    /// Dropped before the client: see `Drop`.
    topics: HashMap<Box<[u8]>, TopicHandle>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// Shared with a call that may not come back.
    client: Arc<Client<Context>>,
    reports: Vec<*const sys::rd_kafka_message_t>,
    /// The last thing that librdkafka said of the cluster as a whole.
    trouble: Option<(RDKafkaErrorCode, String)>,
}

// SAFETY: librdkafka is thread-safe; the raw handles belong to this producer alone and move with it.
#[allow(clippy::non_send_fields_in_send_ty, reason = "the handles are librdkafka's own, which is thread-safe")]
unsafe impl Send for Producer {}

/// Headers that a record is given on its way.
#[derive(Clone, Copy)]
pub struct ExtraHeaders<'a> {
    /// Come after the record's own.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Whether one of the record's own headers is left out for them.
    pub replace: fn(&[u8]) -> bool,
}

impl ExtraHeaders<'_> {
    pub const NONE: Self = Self { headers: &[], replace: |_| false };
}

/// Whether a producer has spoken to its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Reached,
    /// It goes on trying; why the last attempt failed, if there was one.
    Waits(Option<String>),
    /// The cluster does not accept who it is.
    Refused(String),
}

/// A topic of one producer; of no use with another.
#[derive(Clone, Copy, Debug)]
pub struct TopicHandle(NonNull<sys::rd_kafka_topic_t>);

/// A record was not taken over. It is still the caller's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    /// librdkafka's queue is full: poll, then try again.
    #[error("the queue is full")]
    Full,
    /// The record itself is at fault, and no retry will help.
    #[error("{0}")]
    Rejected(String),
    /// The producer cannot go on.
    #[error("{0}")]
    Failed(String),
}

/// The end of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The number given to [`Producer::produce`].
    pub opaque: usize,
    pub outcome: Result<(), Failure>,
}

impl Producer {
    /// Connects in the background.
    ///
    /// # Errors
    /// A property that librdkafka does not know, or a value that it refuses.
    pub fn new(settings: &Settings) -> Result<Self, KafkaError> {
        let failed = |error: RdError| KafkaError::new("create a producer", error);
        let config = settings.producer();
        let native = config.create_native_config().map_err(failed)?;
        // SAFETY: a fresh configuration that the client takes over below.
        unsafe {
            let events = sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR | sys::RD_KAFKA_EVENT_LOG;
            sys::rd_kafka_conf_set_events(native.ptr(), events);
        }
        let client = Client::new(&config, native, RDKafkaType::RD_KAFKA_PRODUCER, Context).map_err(failed)?;
        // SAFETY: the client is alive; the reference to its main queue is given back in `drop`.
        let queue = unsafe { sys::rd_kafka_queue_get_main(client.native_ptr()) };
        let queue = NonNull::new(queue).ok_or_else(|| KafkaError::new("create a producer", "it has no queue"))?;
        Ok(Self { topics: HashMap::new(), queue, client: Arc::new(client), reports: Vec::new(), trouble: None })
    }

    /// Whether librdkafka takes the properties.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn check(settings: &Settings) -> Result<(), KafkaError> {
        let checked = settings.producer().create_native_config();
        checked.map(drop).map_err(|error| KafkaError::new("create a producer", error))
    }

    /// The handle of a topic. Asks no broker: an unknown topic shows when its first record fails.
    ///
    /// # Errors
    /// A name that Kafka does not allow, or one topic too many (`TOPICS_MAX`).
    pub fn topic(&mut self, name: &[u8]) -> Result<TopicHandle, String> {
        if let Some(handle) = self.topics.get(name) {
            return Ok(*handle);
        }
        let shown = check_topic(name)?;
        if self.topics.len() >= TOPICS_MAX {
            return Err(format!("topic `{shown}` would be one more than {TOPICS_MAX}, the limit of one sink"));
        }
        let text = CString::new(name).map_err(|error| error.to_string())?;
        // SAFETY: the client is alive, the name null-terminated; no configuration of the topic's own.
        let raw = unsafe { sys::rd_kafka_topic_new(self.client.native_ptr(), text.as_ptr(), ptr::null_mut()) };
        let handle = NonNull::new(raw).map(TopicHandle).ok_or_else(|| format!("librdkafka refuses topic `{shown}`"))?;
        self.topics.insert(name.into(), handle);
        Ok(handle)
    }

    /// Hands over a record, copied, to a partition or to the one that its key leads to. Its end comes back from
    /// [`Self::poll`] with `opaque`.
    ///
    /// # Errors
    /// See [`ProduceError`].
    pub fn produce(
        &self,
        topic: TopicHandle,
        partition: Option<i32>,
        record: &Record<'_>,
        extra: ExtraHeaders<'_>,
        opaque: usize,
    ) -> Result<(), ProduceError> {
        let headers = Headers::of(record, extra)?;
        let bytes = |value: Option<&[u8]>| {
            // A null pointer is Kafka's null; an empty slice has a pointer, which is Kafka's empty.
            let (data, size) = value.map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
            sys::rd_kafka_vu_s__bindgen_ty_1 {
                mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: data as *mut c_void, size },
            }
        };
        type Value = sys::rd_kafka_vu_s__bindgen_ty_1;
        let argument = |vtype, u| sys::rd_kafka_vu_t { vtype, u };
        let arguments = [
            argument(vtype::RD_KAFKA_VTYPE_RKT, Value { rkt: topic.0.as_ptr() }),
            argument(vtype::RD_KAFKA_VTYPE_PARTITION, Value { i32_: partition.unwrap_or(UNASSIGNED) }),
            argument(vtype::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: sys::RD_KAFKA_MSG_F_COPY }),
            argument(vtype::RD_KAFKA_VTYPE_VALUE, bytes(record.value)),
            argument(vtype::RD_KAFKA_VTYPE_KEY, bytes(record.key)),
            // 0 means now to librdkafka, as -1 (no timestamp) has to.
            argument(vtype::RD_KAFKA_VTYPE_TIMESTAMP, Value { i64_: record.timestamp.max(0) }),
            argument(vtype::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: opaque as *mut c_void }),
            argument(vtype::RD_KAFKA_VTYPE_HEADERS, Value { headers: headers.raw() }),
        ];
        let count = if headers.raw().is_null() { arguments.len() - 1 } else { arguments.len() };
        // SAFETY: client and topic are alive; key and value are copied before the call returns; of the arguments only
        // the first `count` are read.
        let error = unsafe { sys::rd_kafka_produceva(self.client.native_ptr(), arguments.as_ptr(), count) };
        if error.is_null() {
            headers.handed_over();
            return Ok(());
        }
        // SAFETY: an error object that is ours to read and to destroy.
        let (code, text) = unsafe {
            let code = sys::rd_kafka_error_code(error);
            let text = c_text(sys::rd_kafka_error_string(error));
            sys::rd_kafka_error_destroy(error);
            (RDKafkaErrorCode::from(code), text)
        };
        Err(match code {
            RDKafkaErrorCode::QueueFull => ProduceError::Full,
            code => match classify(code, text) {
                Failure::Record(reason) => ProduceError::Rejected(reason),
                Failure::Configuration(reason) | Failure::Transient(reason) => ProduceError::Failed(reason),
            },
        })
    }

    /// Serves reports, waiting up to `timeout` for the first.
    pub fn poll(&mut self, timeout: Duration, delivered: &mut dyn FnMut(Delivered)) {
        let mut wait = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        loop {
            // SAFETY: the queue is alive; the event is destroyed below.
            let Some(event) = NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), wait) }) else {
                return;
            };
            // SAFETY: a valid event.
            match unsafe { sys::rd_kafka_event_type(event.as_ptr()) } {
                sys::RD_KAFKA_EVENT_DR => self.report(event, delivered),
                sys::RD_KAFKA_EVENT_LOG => write_log(event),
                sys::RD_KAFKA_EVENT_ERROR => {
                    // SAFETY: a valid event of this type.
                    let (code, text) = unsafe {
                        let code = RDKafkaErrorCode::from(sys::rd_kafka_event_error(event.as_ptr()));
                        (code, c_text(sys::rd_kafka_event_error_string(event.as_ptr())))
                    };
                    tracing::warn!(reason = text, "producer error");
                    self.note_trouble(code, text);
                }
                _ => {}
            }
            // SAFETY: ours, destroyed once; the messages that it lent are no longer looked at.
            unsafe { sys::rd_kafka_event_destroy(event.as_ptr()) };
            wait = 0;
        }
    }

    fn report(&mut self, event: NonNull<sys::rd_kafka_event_t>, delivered: &mut dyn FnMut(Delivered)) {
        // SAFETY: a valid event of delivery reports.
        let count = unsafe { sys::rd_kafka_event_message_count(event.as_ptr()) };
        self.reports.resize(count, ptr::null());
        // SAFETY: the array has `count` places; the messages live as long as the event.
        let got = unsafe { sys::rd_kafka_event_message_array(event.as_ptr(), self.reports.as_mut_ptr(), count) };
        for message in self.reports.iter().take(got) {
            // SAFETY: filled by the call above.
            let Some(message) = (unsafe { message.as_ref() }) else { continue };
            let outcome = match RDKafkaErrorCode::from(message.err) {
                RDKafkaErrorCode::NoError => Ok(()),
                code => Err(classify(code, code.to_string())),
            };
            delivered(Delivered { opaque: message._private as usize, outcome });
        }
    }

    /// That all brokers are down says less than why the first one is.
    fn note_trouble(&mut self, code: RDKafkaErrorCode, text: String) {
        if code != RDKafkaErrorCode::AllBrokersDown || self.trouble.is_none() {
            self.trouble = Some((code, text));
        }
    }

    /// Whether the cluster has answered since the first [`Self::topic`] was asked for, which is what connects. Asks
    /// nobody; [`Self::poll`] is what learns of trouble.
    pub fn reach(&self) -> Reach {
        // SAFETY: the client is alive; without a timeout the call answers from what is known. The text is ours to free.
        let known = unsafe {
            let id = sys::rd_kafka_clusterid(self.client.native_ptr(), 0);
            sys::rd_kafka_mem_free(self.client.native_ptr(), id.cast::<c_void>());
            !id.is_null()
        };
        match &self.trouble {
            _ if known => Reach::Reached,
            None => Reach::Waits(None),
            Some((RDKafkaErrorCode::Authentication, text)) => Reach::Refused(text.clone()),
            Some((_, text)) => Reach::Waits(Some(text.clone())),
        }
    }

    /// Records handed over and not yet reported.
    pub fn in_flight(&self) -> usize {
        // SAFETY: the client is alive.
        usize::try_from(unsafe { sys::rd_kafka_outq_len(self.client.native_ptr()) }).unwrap_or(0)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // SAFETY: handles and queue are ours, destroyed once, before the client (a field, dropped after this).
        unsafe {
            for topic in self.topics.values() {
                sys::rd_kafka_topic_destroy(topic.0.as_ptr());
            }
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// The name, where Kafka allows it.
///
/// # Errors
/// Words about what is wrong with it.
pub fn check_topic(name: &[u8]) -> Result<&str, String> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let fits = !name.is_empty() && name.len() <= TOPIC_NAME_MAX && name.iter().all(allowed);
    let text = std::str::from_utf8(name).ok().filter(|text| fits && *text != "." && *text != "..");
    text.ok_or_else(|| {
        let shown = String::from_utf8_lossy(name.get(..TOPIC_NAME_MAX).unwrap_or(name));
        format!("`{shown}` is no topic name: 1 to {TOPIC_NAME_MAX} of a-z A-Z 0-9 . _ -")
    })
}

/// Headers under construction; destroyed unless handed over with a record.
struct Headers(*mut sys::rd_kafka_headers_t);

impl Headers {
    fn of(record: &Record<'_>, extra: ExtraHeaders<'_>) -> Result<Self, ProduceError> {
        let mut headers = Self(ptr::null_mut());
        let mut full = false;
        let mut add = |name: &[u8], value: Option<&[u8]>| {
            let (data, size) = value.map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
            // SAFETY: a list of our own; name and value are copied.
            unsafe {
                if headers.0.is_null() {
                    headers.0 = sys::rd_kafka_headers_new(8);
                }
                let error = sys::rd_kafka_header_add(
                    headers.0,
                    name.as_ptr().cast::<c_char>(),
                    isize::try_from(name.len()).unwrap_or(0),
                    data.cast::<c_void>(),
                    isize::try_from(size).unwrap_or(0),
                );
                full |= error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
            }
        };
        record.headers(&mut |name, value| {
            if !(extra.replace)(name) {
                add(name, value);
            }
        });
        extra.headers.iter().for_each(|(name, value)| add(name.as_bytes(), Some(value)));
        if full { Err(ProduceError::Rejected("its headers were refused".into())) } else { Ok(headers) }
    }

    fn raw(&self) -> *mut sys::rd_kafka_headers_t {
        self.0
    }

    fn handed_over(mut self) {
        self.0 = ptr::null_mut();
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: still ours.
            unsafe { sys::rd_kafka_headers_destroy(self.0) };
        }
    }
}

fn write_log(event: NonNull<sys::rd_kafka_event_t>) {
    let (mut facility, mut text, mut level) = (ptr::null(), ptr::null(), 0);
    // SAFETY: a valid log event; the strings live as long as it does.
    unsafe {
        if sys::rd_kafka_event_log(event.as_ptr(), &mut facility, &mut text, &mut level) == 0 {
            log::write(level, &c_text(facility), &c_text(text));
        }
    }
}

/// # Safety
/// `text` must be null or a null-terminated string.
pub(super) unsafe fn c_text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

struct Context;

impl ClientContext for Context {}
