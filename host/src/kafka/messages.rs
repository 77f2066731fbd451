//! Messages of librdkafka, owned, and a batch of them as [`Rows`].

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    marker::PhantomData,
    ptr,
    ptr::NonNull,
    rc::Rc,
    slice,
};

use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use super::{KafkaError, consumer::Client};
use crate::batch::Rows;

/// One message, still in librdkafka's memory; destroyed when dropped. It must not outlive its client, which is why
/// only [`Messages`], who holds the client, leaves this folder's callers.
#[derive(Debug)]
pub struct Message {
    raw: NonNull<sys::rd_kafka_message_t>,
    /// librdkafka parses headers into the message without a lock.
    not_sync: PhantomData<*const ()>,
}

impl Message {
    /// # Safety
    /// `raw` must be a message that librdkafka handed over to the application, and not be used elsewhere.
    pub(super) unsafe fn from_raw(raw: NonNull<sys::rd_kafka_message_t>) -> Self {
        Self { raw, not_sync: PhantomData }
    }

    #[inline]
    pub(super) fn raw(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: owned by `self` and valid until `rd_kafka_message_destroy` in `drop`.
        unsafe { self.raw.as_ref() }
    }

    pub fn offset(&self) -> i64 {
        self.raw().offset
    }

    #[inline]
    pub fn partition(&self) -> i32 {
        self.raw().partition
    }

    /// Identifies the topic as long as its partitions stay assigned: cheaper to compare than its name.
    #[inline]
    pub fn topic_id(&self) -> usize {
        self.raw().rkt as usize
    }

    /// Empty where librdkafka names none, or one that is not UTF-8, which no broker accepts.
    pub fn topic(&self) -> &str {
        if self.raw().rkt.is_null() {
            return "";
        }
        // SAFETY: the topic's handle and its null-terminated name live as long as the message.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(self.raw().rkt)) };
        name.to_str().unwrap_or_default()
    }

    /// What librdkafka reports in a message's place.
    pub fn error(&self) -> Option<KafkaError> {
        match self.raw().err {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            error => Some(KafkaError::new("fetch", RDKafkaErrorCode::from(error))),
        }
    }

    /// Whether this is no message, but says that its partition has been read to its end.
    pub fn is_end(&self) -> bool {
        self.raw().err == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF
    }

    /// Bytes of key and value.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.raw().key_len + self.raw().len
    }

    /// Whether it is certain, without asking librdkafka, that there are no headers. `false` says nothing.
    ///
    /// `rd_kafka_message_headers` answers the same, and allocates, fills and frees a reader of some 500 bytes for it
    /// each time: 70 ns per record, the most expensive line between a topic without headers and another.
    ///
    /// In format v2 (KIP-98) the varint behind a record's value is its number of headers, and librdkafka lends the
    /// value where it lies in the response. Only v2 carries a leader epoch; a value that is null or empty does not lie
    /// in the response.
    #[inline]
    fn is_bare(&self) -> bool {
        let raw = self.raw();
        if raw.payload.is_null() || raw.len == 0 || !lends_in_place() {
            return false;
        }
        // SAFETY: a valid message. In a response of format v2 at least one more byte follows the value: see above and
        // `LENDS_IN_PLACE`.
        unsafe { sys::rd_kafka_message_leader_epoch(raw) >= 0 && *raw.payload.cast::<u8>().add(raw.len) == 0 }
    }
}

/// The librdkafka whose reader was read for [`Message::is_bare`] (`rd_kafka_msgset_reader_msg_v2`,
/// `rd_kafka_op_new_fetch_msg`). Any other is asked for headers record by record, and a test says so.
const LENDS_IN_PLACE: c_int = 0x020c_01ff;

#[inline]
fn lends_in_place() -> bool {
    // SAFETY: answers a constant.
    unsafe { sys::rd_kafka_version() == LENDS_IN_PLACE }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: handed over by librdkafka, destroyed once.
        unsafe { sys::rd_kafka_message_destroy(self.raw.as_ptr()) };
    }
}

/// Messages of one topic-partition in offset order.
pub struct Messages {
    /// Dropped before `_client`, in the order of the fields.
    messages: Vec<Message>,
    _client: Rc<Client>,
}

impl Messages {
    pub(super) fn new(messages: Vec<Message>, client: Rc<Client>) -> Self {
        Self { messages, _client: client }
    }
}

/// A nullable byte string of a message.
///
/// # Safety
/// `data` must be null or point to `len` bytes that live as long as `'a`.
#[inline]
unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Option<&'a [u8]> {
    if data.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { slice::from_raw_parts(data.cast::<u8>(), len) })
}

impl Rows for Messages {
    fn len(&self) -> usize {
        self.messages.len()
    }

    #[inline]
    fn offset(&self, row: usize) -> i64 {
        self.messages[row].offset()
    }

    fn timestamp(&self, row: usize) -> i64 {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: a valid message, and a place for the kind of its timestamp.
        unsafe { sys::rd_kafka_message_timestamp(self.messages[row].raw(), &mut kind) }
    }

    #[inline]
    fn key(&self, row: usize) -> Option<&[u8]> {
        let raw = self.messages[row].raw();
        // SAFETY: the key lives as long as the message, which `self` owns.
        unsafe { bytes(raw.key, raw.key_len) }
    }

    #[inline]
    fn value(&self, row: usize) -> Option<&[u8]> {
        let raw = self.messages[row].raw();
        // SAFETY: the payload lives as long as the message, which `self` owns.
        unsafe { bytes(raw.payload, raw.len) }
    }

    fn headers(&self, row: usize, visit: &mut dyn FnMut(&[u8], Option<&[u8]>)) {
        if self.messages[row].is_bare() {
            return;
        }
        let mut headers = ptr::null_mut();
        // SAFETY: a valid message that only this thread looks at (`Message` is not `Sync`).
        let found = unsafe { sys::rd_kafka_message_headers(self.messages[row].raw(), &mut headers) };
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return;
        }
        for index in 0.. {
            let (mut name, mut value, mut len): (*const c_char, _, usize) = (ptr::null(), ptr::null(), 0);
            // SAFETY: `headers` belongs to the message; the three places outlive the call.
            let got = unsafe { sys::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut len) };
            if got != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
                return;
            }
            // SAFETY: a header's name is null-terminated and, like its value, lives as long as the message. The name
            // is read as bytes: Kafka does not promise UTF-8.
            let (name, value) = unsafe { (CStr::from_ptr(name).to_bytes(), bytes(value, len)) };
            visit(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_records_lie_was_verified_for_this_librdkafka() {
        assert!(lends_in_place(), "read `Message::is_bare`, verify it for this version, and say so there");
    }
}
