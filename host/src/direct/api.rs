//! The requests that the direct path needs, each in one version: the last before the "flexible" ones (KIP-482) that
//! brokers from 2.4 to today understand. `ApiVersions` is asked first, so an older broker is told apart from a broken
//! one. What transactions need beyond these is in `api/transactions.rs`.

use std::fmt;

use bytes::Bytes;

use super::wire::{Reader, WireError, Write};

pub(super) mod transactions;

/// Key and version of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Api {
    pub(super) key: i16,
    pub(super) version: i16,
}

pub(super) const PRODUCE: Api = Api { key: 0, version: 8 };
pub(super) const FETCH: Api = Api { key: 1, version: 11 };
pub(super) const LIST_OFFSETS: Api = Api { key: 2, version: 4 };
pub(super) const METADATA: Api = Api { key: 3, version: 7 };
pub(super) const API_VERSIONS: Api = Api { key: 18, version: 0 };
pub(super) const INIT_PRODUCER_ID: Api = Api { key: 22, version: 1 };
pub(super) const EPOCH_END: Api = Api { key: 23, version: 2 };

/// What a broker must understand.
#[derive(Debug)]
pub(super) struct Needs {
    /// The first Kafka that does.
    since: &'static str,
    apis: &'static [(Api, &'static str)],
}

pub(super) static NEEDED: Needs = Needs {
    since: "2.4",
    apis: &[
        (PRODUCE, "Produce"),
        (FETCH, "Fetch"),
        (LIST_OFFSETS, "ListOffsets"),
        (METADATA, "Metadata"),
        (INIT_PRODUCER_ID, "InitProducerId"),
        (EPOCH_END, "OffsetForLeaderEpoch"),
    ],
};

/// A broker's error code (kafka.apache.org/protocol, "Error Codes"), as far as it is acted on by name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub(super) i16);

impl Code {
    pub(super) const NONE: Self = Self(0);
    pub(super) const OFFSET_OUT_OF_RANGE: Self = Self(1);
    pub(super) const CORRUPT_MESSAGE: Self = Self(2);
    pub(super) const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    pub(super) const OUT_OF_ORDER_SEQUENCE: Self = Self(45);
    pub(super) const DUPLICATE_SEQUENCE: Self = Self(46);
    pub(super) const INVALID_PRODUCER_EPOCH: Self = Self(47);
    pub(super) const UNKNOWN_PRODUCER_ID: Self = Self(59);

    pub(super) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::kafka::error_text(self.0))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the broker does not understand, as words; `None`: all that is needed.
pub(super) fn lacks(answer: &[u8], needs: &Needs) -> Result<Option<String>, WireError> {
    let mut reader = Reader::new(answer);
    let code = Code(reader.i16()?);
    if !code.is_none() {
        return Ok(Some(format!("it answers {code} when asked for its versions")));
    }
    let mut known = Vec::new();
    for _ in 0..reader.len()? {
        known.push((reader.i16()?, reader.i16()?, reader.i16()?));
    }
    let Needs { since, apis } = needs;
    let missing = apis
        .iter()
        .find(|(api, _)| !known.iter().any(|(key, min, max)| *key == api.key && (*min..=*max).contains(&api.version)));
    Ok(missing.map(|(api, name)| format!("it does not understand {name} in version {} (Kafka {since})", api.version)))
}

/// A broker's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broker {
    pub(super) id: i32,
    pub(super) host: String,
    pub(super) port: i32,
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leader {
    /// -1: nobody now.
    pub(super) broker: i32,
    pub(super) epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) code: Code,
    /// By partition, without gaps.
    pub(super) leaders: Vec<Leader>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) brokers: Vec<Broker>,
    pub(super) topics: Vec<Topic>,
}

pub(super) fn metadata_request(topics: &[&str], create: bool) -> Vec<u8> {
    let mut body = Vec::new();
    body.len_of(topics.len());
    topics.iter().for_each(|topic| body.text(topic));
    body.i8(i8::from(create));
    body
}

pub(super) fn metadata(answer: &[u8]) -> Result<Metadata, WireError> {
    let mut reader = Reader::new(answer);
    reader.i32()?; // throttle
    let mut metadata = Metadata::default();
    for _ in 0..reader.len()? {
        let broker = Broker { id: reader.i32()?, host: reader.text()?.to_owned(), port: reader.i32()? };
        reader.nullable_text()?; // rack
        metadata.brokers.push(broker);
    }
    reader.nullable_text()?; // cluster
    reader.i32()?; // controller
    for _ in 0..reader.len()? {
        let (code, name) = (Code(reader.i16()?), reader.text()?.to_owned());
        reader.bool()?; // internal
        let mut partitions = Vec::new();
        for _ in 0..reader.len()? {
            reader.i16()?; // an error here shows in the leader
            let (index, leader) = (reader.i32()?, Leader { broker: reader.i32()?, epoch: reader.i32()? });
            for _replicas_in_sync_offline in 0..3 {
                let count = reader.len()?;
                reader.take(count.checked_mul(4).ok_or(WireError::Short)?)?;
            }
            partitions.push((index, leader));
        }
        partitions.sort_unstable_by_key(|(index, _)| *index);
        let whole = partitions.iter().zip(0..).all(|((index, _), place)| *index == place);
        if !whole {
            return Err(WireError::Bad("partitions with gaps"));
        }
        let leaders = partitions.into_iter().map(|(_, leader)| leader).collect();
        metadata.topics.push(Topic { name, code, leaders });
    }
    Ok(metadata)
}

/// `transaction` is the transactional id, with the milliseconds that a transaction may be open.
pub(super) fn init_producer_id_request(transaction: Option<(&str, i32)>) -> Vec<u8> {
    let mut body = Vec::new();
    body.nullable_text(transaction.map(|(id, _)| id));
    body.i32(transaction.map_or(0, |(_, timeout_ms)| timeout_ms));
    body
}

/// Producer id and epoch, or the error.
pub(super) fn init_producer_id(answer: &[u8]) -> Result<Result<(i64, i16), Code>, WireError> {
    let mut reader = Reader::new(answer);
    reader.i32()?; // throttle
    let (code, id, epoch) = (Code(reader.i16()?), reader.i64()?, reader.i16()?);
    Ok(if code.is_none() { Ok((id, epoch)) } else { Err(code) })
}

/// Where a partition begins.
pub(super) fn earliest_request(topic: &str, partition: i32, leader_epoch: i32) -> Vec<u8> {
    const EARLIEST: i64 = -2;
    let mut body = Vec::new();
    body.i32(-1);
    body.i8(0);
    body.len_of(1);
    body.text(topic);
    body.len_of(1);
    body.i32(partition);
    body.i32(leader_epoch);
    body.i64(EARLIEST);
    body
}

pub(super) fn earliest(answer: &[u8]) -> Result<Result<i64, Code>, WireError> {
    let mut reader = Reader::new(answer);
    reader.i32()?; // throttle
    skip_name(&mut reader)?;
    reader.i32()?;
    let code = Code(reader.i16()?);
    reader.i64()?; // timestamp
    let offset = reader.i64()?;
    Ok(if code.is_none() { Ok(offset) } else { Err(code) })
}

/// In an answer about one partition, what comes before it.
fn skip_name(reader: &mut Reader<'_>) -> Result<(), WireError> {
    let topics = reader.len()?;
    reader.text()?;
    if (topics, reader.len()?) == (1, 1) { Ok(()) } else { Err(WireError::Bad("an answer about others")) }
}

/// Where the records that were written under a leader's epoch end, or the last before it (KIP-320).
pub(super) fn epoch_end_request(topic: &str, partition: i32, leader_epoch: i32, epoch: i32) -> Vec<u8> {
    let mut body = Vec::new();
    body.len_of(1);
    body.text(topic);
    body.len_of(1);
    [partition, leader_epoch, epoch].into_iter().for_each(|number| body.i32(number));
    body
}

/// The offset behind them; `None`: the log knows neither the epoch nor one before it.
pub(super) fn epoch_end(answer: &[u8]) -> Result<Result<Option<i64>, Code>, WireError> {
    let mut reader = Reader::new(answer);
    reader.i32()?; // throttle
    skip_name(&mut reader)?;
    let code = Code(reader.i16()?);
    reader.take(2 * 4)?; // partition, epoch
    let end = reader.i64()?;
    Ok(if code.is_none() { Ok((end >= 0).then_some(end)) } else { Err(code) })
}

/// What a fetch asks for, of one broker.
#[derive(Clone, Copy, Debug)]
pub(super) struct FetchLimits {
    pub(super) wait_ms: i32,
    pub(super) min_bytes: i32,
    pub(super) max_bytes: i32,
    pub(super) partition_max_bytes: i32,
}

#[derive(Clone, Debug)]
pub(super) struct FetchFrom<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) leader_epoch: i32,
    pub(super) offset: i64,
}

/// `from` in the order of topics: those of one topic stand together.
pub(super) fn fetch_request(limits: FetchLimits, from: &[FetchFrom<'_>]) -> Vec<u8> {
    let mut body = Vec::with_capacity(64 + 32 * from.len());
    body.i32(-1);
    body.i32(limits.wait_ms);
    body.i32(limits.min_bytes);
    body.i32(limits.max_bytes);
    body.i8(1); // records of open transactions are not wanted, and aborted ones are named
    body.i32(0); // no session (KIP-227): a request says all that it wants
    body.i32(-1);
    let topics: Vec<_> = from.chunk_by(|one, next| one.topic == next.topic).collect();
    body.len_of(topics.len());
    for partitions in topics {
        body.text(partitions[0].topic);
        body.len_of(partitions.len());
        for from in partitions {
            body.i32(from.partition);
            body.i32(from.leader_epoch);
            body.i64(from.offset);
            body.i64(-1);
            body.i32(limits.partition_max_bytes);
        }
    }
    body.len_of(0);
    body.text("");
    body
}

/// An answer about one partition.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) code: Code,
    /// End of what is decided: below it no transaction is open.
    pub(super) last_stable: i64,
    /// Producer id and first offset of aborted transactions, ascending by offset.
    pub(super) aborted: Vec<(i64, i64)>,
    /// A follower that is to be asked instead; -1: none.
    pub(super) preferred: i32,
    /// Record batches, the last maybe cut off. A part of the answer's own memory.
    pub(super) records: Bytes,
}

pub(super) fn fetch(answer: &Bytes) -> Result<(Code, Vec<Fetched>), WireError> {
    let mut reader = Reader::new(answer);
    reader.i32()?; // throttle
    let code = Code(reader.i16()?);
    reader.i32()?; // session
    let mut fetched = Vec::new();
    for _ in 0..reader.len()? {
        let topic = reader.text()?.to_owned();
        for _ in 0..reader.len()? {
            let (partition, code) = (reader.i32()?, Code(reader.i16()?));
            let (_high_watermark, last_stable, _log_start) = (reader.i64()?, reader.i64()?, reader.i64()?);
            let mut aborted = Vec::new();
            for _ in 0..reader.len()? {
                aborted.push((reader.i64()?, reader.i64()?));
            }
            aborted.sort_unstable_by_key(|(_, first)| *first);
            let preferred = reader.i32()?;
            let length = usize::try_from(reader.i32()?).unwrap_or(0);
            let begin = reader.at();
            reader.take(length)?;
            let records = answer.slice(begin..begin + length);
            let topic = topic.clone();
            fetched.push(Fetched { topic, partition, code, last_stable, aborted, preferred, records });
        }
    }
    Ok((code, fetched))
}

/// The parts of a produce request around its record batches. `partitions` names topic, partition and length of each
/// batch, those of one topic together, `transaction` the transactional id; answers a piece to go before each batch.
pub(super) fn produce_request(
    transaction: Option<&str>,
    timeout_ms: i32,
    partitions: &[(&str, i32, usize)],
) -> Vec<Vec<u8>> {
    let mut head = Vec::new();
    head.nullable_text(transaction);
    head.i16(-1); // all in-sync replicas
    head.i32(timeout_ms);
    let topics: Vec<_> = partitions.chunk_by(|one, next| one.0 == next.0).collect();
    head.len_of(topics.len());
    let mut pieces = Vec::with_capacity(partitions.len());
    for of_topic in topics {
        head.text(of_topic[0].0);
        head.len_of(of_topic.len());
        for (_, partition, length) in of_topic {
            head.i32(*partition);
            head.len_of(*length);
            pieces.push(std::mem::take(&mut head));
        }
    }
    pieces
}

/// A broker's word on one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Produced {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) code: Code,
    /// Records that made the broker refuse the batch, by their place in it (KIP-467).
    pub(super) bad_records: Vec<usize>,
    pub(super) message: Option<String>,
}

pub(super) fn produce(answer: &[u8]) -> Result<Vec<Produced>, WireError> {
    let mut reader = Reader::new(answer);
    let mut produced = Vec::new();
    for _ in 0..reader.len()? {
        let topic = reader.text()?.to_owned();
        for _ in 0..reader.len()? {
            let (partition, code) = (reader.i32()?, Code(reader.i16()?));
            reader.take(3 * 8)?; // base offset, append time, log start
            let mut bad_records = Vec::new();
            for _ in 0..reader.len()? {
                bad_records.push(usize::try_from(reader.i32()?).unwrap_or(usize::MAX));
                reader.nullable_text()?;
            }
            let message = reader.nullable_text()?.map(str::to_owned);
            produced.push(Produced { topic: topic.clone(), partition, code, bad_records, message });
        }
    }
    Ok(produced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_lacks_a_version_is_told_by_name() {
        let answer = |ranges: &[(i16, i16, i16)]| {
            let mut bytes = Vec::new();
            bytes.i16(0);
            bytes.len_of(ranges.len());
            ranges.iter().for_each(|(key, min, max)| [key, min, max].into_iter().for_each(|it| bytes.i16(*it)));
            bytes
        };
        let all = [(0, 3, 11), (1, 4, 17), (2, 1, 9), (3, 0, 12), (22, 0, 5), (23, 2, 4), (99, 0, 0)];
        assert_eq!(lacks(&answer(&all), &NEEDED), Ok(None));
        let old = [(0, 0, 7), (1, 0, 11), (2, 0, 5), (3, 0, 8), (22, 0, 1)];
        let said = lacks(&answer(&old), &NEEDED).expect("an answer").expect("a lack");
        assert!(said.contains("Produce in version 8"), "{said}");
        let said = lacks(&answer(&all), &transactions::NEEDED).expect("an answer").expect("a lack");
        assert!(said.contains("FindCoordinator in version 2 (Kafka 2.5)"), "{said}");
        assert_eq!(lacks(&[0, 0, 0], &NEEDED), Err(WireError::Short));
    }

    #[test]
    fn batches_of_one_topic_stand_under_one_name() {
        let pieces = produce_request(Some("id"), 1000, &[("a", 0, 5), ("a", 1, 6), ("b", 0, 7)]);
        let whole: Vec<u8> = pieces
            .iter()
            .zip([5, 6, 7])
            .flat_map(|(piece, length)| [piece.clone(), vec![0; length]].concat())
            .collect();
        let mut reader = Reader::new(&whole);
        assert_eq!(
            (reader.nullable_text(), reader.i16(), reader.i32(), reader.len()),
            (Ok(Some("id")), Ok(-1), Ok(1000), Ok(2))
        );
        for (topic, partitions) in [("a", &[(0, 5), (1, 6)][..]), ("b", &[(0, 7)])] {
            assert_eq!((reader.text(), reader.len()), (Ok(topic), Ok(partitions.len())));
            for (partition, length) in partitions {
                assert_eq!((reader.i32(), reader.i32()), (Ok(*partition), Ok(*length)));
                reader.take(*length as usize).expect("a batch");
            }
        }
        assert_eq!(reader.rest(), 0);
    }
}
