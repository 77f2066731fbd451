//! The fastest loop that librdkafka's C interface allows while timestamps are kept and every delivery is tracked:
//! `rd_kafka_consume_batch_queue` into an array, `rd_kafka_produceva` (which is `rd_kafka_producev`, with its arguments
//! in an array), reports as events that hold many.
#![allow(unsafe_code, reason = "C interface; this program is a yardstick, not a part of Wasmill")]

use std::{
    ffi::{CStr, CString, c_char, c_void},
    ptr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rdkafka_sys as sys;
use sys::{rd_kafka_conf_res_t as conf_res, rd_kafka_resp_err_t as err, rd_kafka_vtype_t as vtype};

use crate::{job::Job, track::Tracker};

/// Records of one array.
const BATCH: usize = 1000;

const IN_FLIGHT_MAX: usize = 100_000;

const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

/// # Errors
/// What ends the run.
pub(crate) fn run(job: &Job) -> anyhow::Result<()> {
    let consumer = client(sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, &job.consumer())?;
    let producer = client(sys::rd_kafka_type_t::RD_KAFKA_PRODUCER, &job.producer())?;
    let input = CString::new(job.input.as_str())?;
    // SAFETY: both clients live until the process ends, and with them their queues and topics; names are copied.
    let (events, reports, topics) = unsafe {
        subscribe(consumer, &input)?;
        let topic = |name: &String| {
            let name = CString::new(name.as_str())?;
            anyhow::Ok(sys::rd_kafka_topic_new(producer, name.as_ptr(), ptr::null_mut()))
        };
        let topics = job.outputs.iter().map(topic).collect::<Result<Vec<_>, _>>()?;
        (sys::rd_kafka_queue_get_consumer(consumer), sys::rd_kafka_queue_get_main(producer), topics)
    };
    let mut array = [ptr::null_mut::<sys::rd_kafka_message_t>(); BATCH];
    let mut delivered = Vec::new();
    let (mut tracker, mut committed_at) = (Tracker::default(), Instant::now());
    loop {
        // SAFETY: the queue is read by this thread alone, the array has as many places as is said. The call waits until
        // the array is full or time is over, so waiting is done for one record only.
        let count = unsafe {
            let first = sys::rd_kafka_consume_batch_queue(events, 5, array.as_mut_ptr(), 1).max(0) as usize;
            let more = if first == 1 {
                sys::rd_kafka_consume_batch_queue(events, 0, array[1..].as_mut_ptr(), BATCH - 1).max(0) as usize
            } else {
                0
            };
            first + more
        };
        let batch = tracker.begin();
        for message in &array[..count] {
            // SAFETY: filled by librdkafka and ours; destroyed once, below.
            let record = unsafe { &**message };
            if record.err == err::RD_KAFKA_RESP_ERR_NO_ERROR {
                tracker.read(batch, record.partition, record.offset);
                // SAFETY: key and value live as long as the message.
                let (value, timestamp) = unsafe {
                    let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
                    (bytes(record.payload, record.len), sys::rd_kafka_message_timestamp(record, &mut kind))
                };
                let key = (record.key, record.key_len);
                job.work.apply(value, &mut |route, value| {
                    tracker.sent(batch);
                    // SAFETY: as above; librdkafka copies what is pointed to before the call returns.
                    unsafe { produce(producer, topics[route], key, value, timestamp, batch) }
                })?;
            }
            // SAFETY: handed over by librdkafka, destroyed once.
            unsafe { sys::rd_kafka_message_destroy(*message) };
        }
        tracker.end(batch);
        let mut wait = 0;
        loop {
            // SAFETY: the producer's own queue, read by this thread alone.
            unsafe { serve(reports, wait, &mut delivered)? };
            delivered.drain(..).for_each(|batch| tracker.delivered(batch));
            if tracker.in_flight() < IN_FLIGHT_MAX {
                break;
            }
            wait = 1;
        }
        if committed_at.elapsed() >= COMMIT_INTERVAL {
            committed_at = Instant::now();
            // SAFETY: the consumer is alive.
            unsafe { commit(consumer, &input, &mut tracker)? };
        }
    }
}

/// A client with these properties; the producer reports deliveries as events.
fn client(kind: sys::rd_kafka_type_t, properties: &[(&str, &str)]) -> anyhow::Result<*mut sys::rd_kafka_t> {
    let mut reason = [0 as c_char; 512];
    // SAFETY: names and values are null-terminated and copied; the buffer for the reason is as long as is said; the
    // configuration is handed over to the client.
    unsafe {
        let conf = sys::rd_kafka_conf_new();
        for (name, value) in properties {
            let (name, value) = (CString::new(*name)?, CString::new(*value)?);
            let set = sys::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), reason.as_mut_ptr(), reason.len());
            ensure!(set == conf_res::RD_KAFKA_CONF_OK, "{}", CStr::from_ptr(reason.as_ptr()).to_string_lossy());
        }
        if kind == sys::rd_kafka_type_t::RD_KAFKA_PRODUCER {
            sys::rd_kafka_conf_set_events(conf, sys::RD_KAFKA_EVENT_DR);
        }
        let client = sys::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len());
        ensure!(!client.is_null(), "{}", CStr::from_ptr(reason.as_ptr()).to_string_lossy());
        if kind == sys::rd_kafka_type_t::RD_KAFKA_CONSUMER {
            sys::rd_kafka_poll_set_consumer(client);
        }
        Ok(client)
    }
}

unsafe fn subscribe(consumer: *mut sys::rd_kafka_t, topic: &CStr) -> anyhow::Result<()> {
    // SAFETY: a list of our own, copied by the call.
    unsafe {
        let list = sys::rd_kafka_topic_partition_list_new(1);
        sys::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), -1);
        let done = sys::rd_kafka_subscribe(consumer, list);
        sys::rd_kafka_topic_partition_list_destroy(list);
        ensure!(done == err::RD_KAFKA_RESP_ERR_NO_ERROR, "subscribe: {done:?}");
    }
    Ok(())
}

#[inline]
unsafe fn bytes<'a>(data: *const c_void, len: usize) -> &'a [u8] {
    // SAFETY: the caller's message, alive, whose payload has so many bytes.
    if data.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(data.cast(), len) } }
}

#[inline]
unsafe fn produce(
    producer: *mut sys::rd_kafka_t,
    topic: *mut sys::rd_kafka_topic_t,
    (key, key_len): (*mut c_void, usize),
    value: &[u8],
    timestamp: i64,
    batch: usize,
) -> anyhow::Result<()> {
    type Value = sys::rd_kafka_vu_s__bindgen_ty_1;
    let memory =
        |mem: *mut c_void, size| Value { mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: mem, size } };
    let argument = |vtype, u| sys::rd_kafka_vu_t { vtype, u };
    let arguments = [
        argument(vtype::RD_KAFKA_VTYPE_RKT, Value { rkt: topic }),
        argument(vtype::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: sys::RD_KAFKA_MSG_F_COPY }),
        argument(vtype::RD_KAFKA_VTYPE_VALUE, memory(value.as_ptr() as *mut c_void, value.len())),
        argument(vtype::RD_KAFKA_VTYPE_KEY, memory(key, key_len)),
        argument(vtype::RD_KAFKA_VTYPE_TIMESTAMP, Value { i64_: timestamp.max(0) }),
        argument(vtype::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: batch as *mut c_void }),
    ];
    // SAFETY: client and topic live as long as the process; what is pointed to is copied.
    let error = unsafe { sys::rd_kafka_produceva(producer, arguments.as_ptr(), arguments.len()) };
    if error.is_null() {
        return Ok(());
    }
    // The queue is ten times as long as what may be in flight, so that a full one is a mistake, too.
    // SAFETY: an error of our own; the process ends with it.
    bail!("produce: {}", unsafe { CStr::from_ptr(sys::rd_kafka_error_string(error)) }.to_string_lossy())
}

/// Takes reports: the opaque of every output that was delivered.
unsafe fn serve(
    reports: *mut sys::rd_kafka_queue_t,
    mut wait_ms: i32,
    delivered: &mut Vec<usize>,
) -> anyhow::Result<()> {
    // SAFETY: events are ours and destroyed once; messages are read before.
    unsafe {
        loop {
            let event = sys::rd_kafka_queue_poll(reports, wait_ms);
            if event.is_null() {
                return Ok(());
            }
            if sys::rd_kafka_event_type(event) == sys::RD_KAFKA_EVENT_DR {
                let count = sys::rd_kafka_event_message_count(event);
                delivered.reserve(count);
                loop {
                    let message = sys::rd_kafka_event_message_next(event).as_ref();
                    let Some(message) = message else { break };
                    ensure!(message.err == err::RD_KAFKA_RESP_ERR_NO_ERROR, "not delivered: {:?}", message.err);
                    delivered.push(message._private as usize);
                }
            }
            sys::rd_kafka_event_destroy(event);
            wait_ms = 0;
        }
    }
}

unsafe fn commit(consumer: *mut sys::rd_kafka_t, input: &CStr, tracker: &mut Tracker) -> anyhow::Result<()> {
    let next = tracker.take();
    if next.is_empty() {
        return Ok(());
    }
    // SAFETY: a list of our own, copied by the call.
    unsafe {
        let list = sys::rd_kafka_topic_partition_list_new(4);
        for (partition, offset) in next {
            let entry = sys::rd_kafka_topic_partition_list_add(list, input.as_ptr(), partition);
            entry.as_mut().context("no entry")?.offset = offset;
        }
        let done = sys::rd_kafka_commit(consumer, list, 1);
        sys::rd_kafka_topic_partition_list_destroy(list);
        ensure!(done == err::RD_KAFKA_RESP_ERR_NO_ERROR, "commit: {done:?}");
    }
    Ok(())
}
