//! Record batches in format v2 (KIP-98; kafka.apache.org/documentation/#recordbatch): written and read as what they are,
//! batches, with no object for a record.

use bytes::Bytes;
use thiserror::Error;

use super::{
    compression::{Codec, CodecError},
    wire::{Few, Reader, WireError, Write, varlong_len},
};

/// Bytes before the first record.
const HEADER: usize = 61;
/// Bytes before what the length counts.
const BEFORE_LENGTH: usize = 12;
/// Where what the checksum covers begins.
const CHECKED: usize = 21;
const MAGIC: i8 = 2;

const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

#[derive(Debug, Error)]
pub(super) enum RecordsError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("a batch in format v{0}: topics written before Kafka 0.11 need `client: librdkafka`")]
    Old(i8),
    #[error("a batch whose checksum is wrong: it was damaged on its way or on the broker's disk")]
    Damaged,
    #[error("a batch that is compressed in a way that is not known (attributes {0:#x})")]
    UnknownCodec(i16),
}

/// A batch under construction: records one after the other, with room for the header before them.
#[derive(Debug)]
pub(super) struct Builder {
    bytes: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    /// Headers of the record under construction.
    headers: Vec<u8>,
    /// The records are compressed; there are no more to come.
    packed: bool,
}

/// Who produces, and as which record of a partition: what lets a broker tell a repetition apart (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) producer: i64,
    pub(super) epoch: i16,
    /// Of the first record; goes round after `i32::MAX`.
    pub(super) first: i32,
    /// The batch is part of a transaction.
    pub(super) transactional: bool,
}

impl Builder {
    /// With the memory of another one.
    pub(super) fn with(mut memory: Vec<u8>) -> Self {
        memory.clear();
        memory.resize(HEADER, 0);
        Self { bytes: memory, count: 0, base_timestamp: 0, max_timestamp: 0, headers: Vec::new(), packed: false }
    }

    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a record, unless it takes more than `most` bytes, which is answered as `false`. `headers` is called with a
    /// function to be called for each header.
    #[inline]
    pub(super) fn push(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl FnOnce(&mut dyn FnMut(&[u8], Option<&[u8]>)),
        most: usize,
    ) -> bool {
        self.headers.clear();
        let (mut header_count, list) = (0_i64, &mut self.headers);
        headers(&mut |name, value| {
            header_count += 1;
            put(list, Some(name));
            put(list, value);
        });
        let base = if self.count == 0 { timestamp } else { self.base_timestamp };
        let (time, place) = (timestamp.wrapping_sub(base), i64::from(self.count));
        let length = 1
            + varlong_len(time)
            + varlong_len(place)
            + put_len(key)
            + put_len(value)
            + varlong_len(header_count)
            + self.headers.len();
        if length > most {
            return false;
        }
        self.base_timestamp = base;
        self.max_timestamp = if self.count == 0 { timestamp } else { self.max_timestamp.max(timestamp) };
        let bytes = &mut self.bytes;
        bytes.reserve(length + 10);
        let mut head = Few::new();
        head.varlong(length as i64);
        head.push(0);
        head.varlong(time);
        head.varlong(place);
        bytes.extend_from_slice(head.bytes());
        put(bytes, key);
        put(bytes, value);
        bytes.varlong(header_count);
        bytes.extend_from_slice(&self.headers);
        self.count += 1;
        true
    }

    /// Compresses the records, unless they are: no more may come. Answers their own memory, which is no longer needed.
    pub(super) fn pack(&mut self, codec: Codec) -> Result<Option<Vec<u8>>, CodecError> {
        if codec == Codec::None || self.packed {
            return Ok(None);
        }
        let mut packed = Vec::with_capacity(self.bytes.len() / 2 + HEADER);
        packed.resize(HEADER, 0);
        codec.compress(&self.bytes[HEADER..], &mut packed)?;
        self.packed = true;
        Ok(Some(std::mem::replace(&mut self.bytes, packed)))
    }

    /// The whole batch, ready to be sent, and the records' own memory where it is no longer needed. `codec` is that of
    /// [`Self::pack`], where that was called.
    pub(super) fn finish(mut self, codec: Codec, sequence: Sequence) -> Result<(Vec<u8>, Option<Vec<u8>>), CodecError> {
        let spare = self.pack(codec)?;
        let Self { mut bytes, count, base_timestamp, max_timestamp, .. } = self;
        let mut head = Vec::with_capacity(HEADER);
        head.i64(0);
        head.i32((bytes.len() - BEFORE_LENGTH) as i32);
        head.i32(-1);
        head.i8(MAGIC);
        head.i32(0); // the checksum, below
        head.i16(codec.bits() | if sequence.transactional { TRANSACTIONAL } else { 0 });
        head.i32(count - 1);
        head.i64(base_timestamp);
        head.i64(max_timestamp);
        head.i64(sequence.producer);
        head.i16(sequence.epoch);
        head.i32(sequence.first);
        head.i32(count);
        bytes[..HEADER].copy_from_slice(&head);
        let checksum = crc32c::crc32c(&bytes[CHECKED..]);
        bytes[CHECKED - 4..CHECKED].copy_from_slice(&checksum.to_be_bytes());
        Ok((bytes, spare))
    }
}

/// Two batches with the records of a finished one, of which the second begins with record `at`.
pub(super) fn split(batch: &Bytes, at: usize) -> Result<(Builder, Builder), RecordsError> {
    let (mut first, mut second) = (Builder::with(Vec::new()), Builder::with(Vec::new()));
    let mut place = 0;
    for batch in batches(batch)? {
        let mut rows = Vec::new();
        let data = batch.rows(i64::MIN, &mut rows)?;
        for row in &rows {
            let half = if place < at { &mut first } else { &mut second };
            half.push(row.timestamp, row.key(&data), row.value(&data), |visit| row.headers(&data, visit), usize::MAX);
            place += 1;
        }
    }
    Ok((first, second))
}

/// A finished batch under another sequence.
pub(super) fn restamp(batch: &Bytes, sequence: Sequence) -> Bytes {
    const PRODUCER: usize = 43;
    let mut bytes = batch.to_vec();
    let mut stamp = Vec::with_capacity(14);
    stamp.i64(sequence.producer);
    stamp.i16(sequence.epoch);
    stamp.i32(sequence.first);
    bytes[PRODUCER..PRODUCER + stamp.len()].copy_from_slice(&stamp);
    let checksum = crc32c::crc32c(&bytes[CHECKED..]);
    bytes[CHECKED - 4..CHECKED].copy_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

#[inline]
fn put(bytes: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) => {
            bytes.varlong(value.len() as i64);
            bytes.extend_from_slice(value);
        }
        None => bytes.varlong(-1),
    }
}

#[inline]
fn put_len(value: Option<&[u8]>) -> usize {
    value.map_or(1, |value| varlong_len(value.len() as i64) + value.len())
}

/// Where a record lies in the memory of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    key: u32,
    /// -1: null.
    key_len: i32,
    value: u32,
    value_len: i32,
    /// Where the number of headers stands.
    headers: u32,
    /// Which of its batch's pieces of memory it lies in: for whoever collects rows of several.
    pub(super) piece: u32,
}

impl Row {
    /// The same in another piece of memory's number.
    #[inline]
    pub(super) fn of_piece(&self, piece: u32) -> Self {
        Self { piece, ..*self }
    }

    #[inline]
    pub(super) fn key<'a>(&self, data: &'a [u8]) -> Option<&'a [u8]> {
        slice(data, self.key, self.key_len)
    }

    #[inline]
    pub(super) fn value<'a>(&self, data: &'a [u8]) -> Option<&'a [u8]> {
        slice(data, self.value, self.value_len)
    }

    /// Bytes of key and value.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.key_len.max(0) as usize + self.value_len.max(0) as usize
    }

    /// Checked when the record was read: see [`read_records`].
    #[inline]
    pub(super) fn headers(&self, data: &[u8], visit: &mut dyn FnMut(&[u8], Option<&[u8]>)) {
        let mut reader = Reader::new(data.get(self.headers as usize..).unwrap_or_default());
        let count = reader.varint().unwrap_or(0);
        for _ in 0..count {
            let (Ok(Some(name)), Ok(value)) = (get(&mut reader), get(&mut reader)) else { return };
            visit(name, value);
        }
    }
}

#[inline]
fn slice(data: &[u8], at: u32, len: i32) -> Option<&[u8]> {
    let len = usize::try_from(len).ok()?;
    data.get(at as usize..at as usize + len)
}

fn get<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, WireError> {
    match usize::try_from(reader.varint()?) {
        Ok(length) => reader.take(length).map(Some),
        Err(_) => Ok(None),
    }
}

/// A batch as it was fetched.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    /// From the base offset on.
    bytes: Bytes,
    attributes: i16,
    base_offset: i64,
    last_offset: i64,
    base_timestamp: i64,
    max_timestamp: i64,
    pub(super) producer: i64,
    /// Of the leader that it was written under.
    pub(super) leader_epoch: i32,
    count: i32,
}

/// The batches of an answer; what is cut off at its end is left out, and comes again with the next fetch.
pub(super) fn batches(records: &Bytes) -> Result<Vec<Fetched>, RecordsError> {
    let (mut found, mut at) = (Vec::new(), 0);
    // What is before the first byte that differs by format.
    const COMMON: usize = BEFORE_LENGTH + 5;
    while records.len() - at >= COMMON {
        let mut reader = Reader::new(&records[at..]);
        let (base_offset, length) = (reader.i64()?, reader.i32()?);
        let leader_epoch = reader.i32()?;
        let magic = reader.i8()?;
        if magic != MAGIC {
            return Err(RecordsError::Old(magic));
        }
        let length = usize::try_from(length).map_err(|_| WireError::Bad("a batch with a negative length"))?;
        if length < HEADER - BEFORE_LENGTH {
            return Err(WireError::Bad("a batch shorter than its header").into());
        }
        let end = at + BEFORE_LENGTH + length;
        if end > records.len() {
            break;
        }
        let checksum = reader.u32()?;
        let attributes = reader.i16()?;
        let last_offset = base_offset.saturating_add(i64::from(reader.i32()?));
        let (base_timestamp, max_timestamp, producer) = (reader.i64()?, reader.i64()?, reader.i64()?);
        reader.i16()?;
        reader.i32()?;
        let count = reader.i32()?;
        let bytes = records.slice(at..end);
        if crc32c::crc32c(&bytes[CHECKED..]) != checksum {
            return Err(RecordsError::Damaged);
        }
        found.push(Fetched {
            bytes,
            attributes,
            base_offset,
            last_offset,
            base_timestamp,
            max_timestamp,
            producer,
            leader_epoch,
            count,
        });
        at = end;
    }
    Ok(found)
}

impl Fetched {
    /// Bytes of it as they were fetched.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Offset behind the last record, also where compaction took that one away.
    pub(super) fn next_offset(&self) -> i64 {
        self.last_offset.saturating_add(1)
    }

    pub(super) fn is_compressed(&self) -> bool {
        Codec::of(self.attributes) != Some(Codec::None)
    }

    pub(super) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Of a transaction's end, of which nobody but the client needs to know.
    pub(super) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether a control batch says that its producer's transaction was aborted. One that compaction has emptied says
    /// nothing (org.apache.kafka.clients.consumer.internals.CompletedFetch, `containsAbortMarker`).
    pub(super) fn is_abort(&self) -> Result<bool, RecordsError> {
        const ABORT: i16 = 0;
        let mut rows = Vec::new();
        let data = self.rows(i64::MIN, &mut rows)?;
        let Some(row) = rows.first() else { return Ok(false) };
        let key = row.key(&data).ok_or(WireError::Bad("a control batch without a key"))?;
        let mut reader = Reader::new(key);
        reader.i16()?;
        Ok(reader.i16()? == ABORT)
    }

    /// Appends the records from an offset on; answers the memory in which they lie.
    pub(super) fn rows(&self, from: i64, rows: &mut Vec<Row>) -> Result<Bytes, RecordsError> {
        if self.count <= 0 {
            // Compaction took all records away, and left the batch to remember its producer's sequence.
            return Ok(Bytes::new());
        }
        let codec = Codec::of(self.attributes).ok_or(RecordsError::UnknownCodec(self.attributes))?;
        let packed = self.bytes.slice(HEADER..);
        let data = if codec == Codec::None { packed } else { Bytes::from(codec.decompress(&packed)?) };
        let appended = (self.attributes & LOG_APPEND_TIME != 0).then_some(self.max_timestamp);
        read_records(&data, self, appended, from, rows)?;
        Ok(data)
    }
}

/// Looks at every byte's place once, so that nothing is left to fail later.
fn read_records(
    data: &[u8],
    batch: &Fetched,
    appended: Option<i64>,
    from: i64,
    rows: &mut Vec<Row>,
) -> Result<(), WireError> {
    let Fetched { base_offset, last_offset, base_timestamp, count, .. } = *batch;
    if u32::try_from(data.len()).is_err() {
        return Err(WireError::Bad("a batch of more than 4 GiB"));
    }
    let mut reader = Reader::new(data);
    let mut least = base_offset;
    // No record is shorter than seven bytes.
    rows.reserve((count.max(0) as usize).min(data.len() / 7 + 1));
    for _ in 0..count {
        let length =
            usize::try_from(reader.varint()?).map_err(|_| WireError::Bad("a record with a negative length"))?;
        let end = reader.at() + length;
        if length > reader.rest() {
            return Err(WireError::Short);
        }
        reader.i8()?;
        let timestamp = base_timestamp.wrapping_add(reader.varlong()?);
        let offset = base_offset.saturating_add(i64::from(reader.varint()?));
        // Whoever commits counts on it.
        if offset < least || offset > last_offset {
            return Err(WireError::Bad("records out of order"));
        }
        least = offset.saturating_add(1);
        let (key, key_len) = place(&mut reader)?;
        let (value, value_len) = place(&mut reader)?;
        let headers = reader.at() as u32;
        let row =
            Row { offset, timestamp: appended.unwrap_or(timestamp), key, key_len, value, value_len, headers, piece: 0 };
        for _ in 0..reader.varint()? {
            get(&mut reader)?.ok_or(WireError::Bad("a header without a name"))?;
            get(&mut reader)?;
        }
        if reader.at() != end {
            return Err(WireError::Bad("a record that is not as long as it says"));
        }
        if offset >= from {
            rows.push(row);
        }
    }
    Ok(())
}

#[inline]
fn place(reader: &mut Reader<'_>) -> Result<(u32, i32), WireError> {
    let length = reader.varint()?;
    let at = reader.at() as u32;
    if let Ok(length) = usize::try_from(length) {
        reader.take(length)?;
    }
    Ok((at, length.max(-1)))
}

#[cfg(test)]
mod tests;
