//! What a transactional producer says to coordinators (KIP-98, KIP-447). The versions are those before brokers tell
//! producers their next epoch with each transaction's end (KIP-890): a producer keeps its epoch, and its sequences go on.

use super::{super::wire::Reader, Api, Code, INIT_PRODUCER_ID, METADATA, Needs, PRODUCE, WireError, Write};
use crate::kafka::{Membership, Partition};

pub(in crate::direct) const FIND_COORDINATOR: Api = Api { key: 10, version: 2 };
pub(in crate::direct) const ADD_PARTITIONS: Api = Api { key: 24, version: 1 };
pub(in crate::direct) const ADD_OFFSETS: Api = Api { key: 25, version: 1 };
pub(in crate::direct) const END: Api = Api { key: 26, version: 1 };
/// Flexible (KIP-482): the first that says which member of the group commits (KIP-447).
pub(in crate::direct) const COMMIT_OFFSETS: Api = Api { key: 28, version: 3 };

pub(in crate::direct) static NEEDED: Needs = Needs {
    since: "2.5",
    apis: &[
        (PRODUCE, "Produce"),
        (METADATA, "Metadata"),
        (INIT_PRODUCER_ID, "InitProducerId"),
        (FIND_COORDINATOR, "FindCoordinator"),
        (ADD_PARTITIONS, "AddPartitionsToTxn"),
        (ADD_OFFSETS, "AddOffsetsToTxn"),
        (END, "EndTxn"),
        (COMMIT_OFFSETS, "TxnOffsetCommit"),
    ],
};

/// What a coordinator's answer asks for, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::direct) enum Verdict {
    Granted,
    /// The same again, soon: markers of the transaction before are being written.
    Soon,
    /// The same again, later.
    Later,
    /// The same again, of whoever coordinates now.
    Elsewhere,
    Denied,
}

impl Code {
    pub(in crate::direct) const REQUEST_TIMED_OUT: Self = Self(7);
    pub(in crate::direct) const COORDINATOR_LOADING: Self = Self(14);
    pub(in crate::direct) const COORDINATOR_NOT_AVAILABLE: Self = Self(15);
    pub(in crate::direct) const NOT_COORDINATOR: Self = Self(16);
    pub(in crate::direct) const INVALID_TRANSACTION_STATE: Self = Self(48);
    pub(in crate::direct) const INVALID_PRODUCER_ID_MAPPING: Self = Self(49);
    pub(in crate::direct) const CONCURRENT_TRANSACTIONS: Self = Self(51);
    pub(in crate::direct) const TRANSACTIONAL_ID_DENIED: Self = Self(53);
    pub(in crate::direct) const OPERATION_NOT_ATTEMPTED: Self = Self(55);
    pub(in crate::direct) const PRODUCER_FENCED: Self = Self(90);

    pub(in crate::direct) fn verdict(self) -> Verdict {
        match self {
            Self::NONE => Verdict::Granted,
            Self::CONCURRENT_TRANSACTIONS => Verdict::Soon,
            Self::COORDINATOR_LOADING
            | Self::REQUEST_TIMED_OUT
            // The coordinator may not have heard of a new topic yet.
            | Self::UNKNOWN_TOPIC_OR_PARTITION
            // Something is wrong with another partition of the same request.
            | Self::OPERATION_NOT_ATTEMPTED => Verdict::Later,
            Self::COORDINATOR_NOT_AVAILABLE | Self::NOT_COORDINATOR => Verdict::Elsewhere,
            _ => Verdict::Denied,
        }
    }

    /// In a produce answer: nothing more can be put into the producer's transaction.
    pub(in crate::direct) fn ends_transaction(self) -> bool {
        [
            Self::OUT_OF_ORDER_SEQUENCE,
            Self::UNKNOWN_PRODUCER_ID,
            Self::INVALID_PRODUCER_EPOCH,
            Self::INVALID_TRANSACTION_STATE,
            Self::INVALID_PRODUCER_ID_MAPPING,
            Self::TRANSACTIONAL_ID_DENIED,
            Self::PRODUCER_FENCED,
        ]
        .contains(&self)
    }
}

/// Who asks: transactional id, producer id, epoch.
#[derive(Clone, Copy, Debug)]
pub(in crate::direct) struct Asks<'a> {
    pub(in crate::direct) id: &'a str,
    pub(in crate::direct) producer: i64,
    pub(in crate::direct) epoch: i16,
}

impl Asks<'_> {
    fn write(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.text(self.id);
        body.i64(self.producer);
        body.i16(self.epoch);
        body
    }
}

/// Of a group, or of transactional ids.
pub(in crate::direct) fn find_coordinator_request(key: &str, of_transactions: bool) -> Vec<u8> {
    let mut body = Vec::new();
    body.text(key);
    body.i8(i8::from(of_transactions));
    body
}

/// Host and port.
pub(in crate::direct) fn find_coordinator(answer: &[u8]) -> Result<Result<(String, u16), Code>, WireError> {
    let mut reader = Reader::new(answer);
    reader.i32()?; // throttle
    let code = Code(reader.i16()?);
    if !code.is_none() {
        return Ok(Err(code));
    }
    reader.nullable_text()?; // message
    reader.i32()?; // id
    let (host, port) = (reader.text()?.to_owned(), reader.i32()?);
    let port = u16::try_from(port).map_err(|_| WireError::Bad("a port that is none"))?;
    Ok(Ok((host, port)))
}

/// `partitions` in the order of topics: those of one topic stand together.
pub(in crate::direct) fn add_partitions_request(asks: Asks<'_>, partitions: &[(&str, i32)]) -> Vec<u8> {
    let mut body = asks.write();
    let topics: Vec<_> = partitions.chunk_by(|one, next| one.0 == next.0).collect();
    body.len_of(topics.len());
    for of_topic in topics {
        body.text(of_topic[0].0);
        body.len_of(of_topic.len());
        of_topic.iter().for_each(|(_, partition)| body.i32(*partition));
    }
    body
}

/// The gravest thing that was said of a partition.
pub(in crate::direct) fn add_partitions(answer: &[u8]) -> Result<Result<(), Code>, WireError> {
    let mut reader = Reader::new(answer);
    reader.i32()?; // throttle
    let mut codes = Vec::new();
    for _ in 0..reader.len()? {
        reader.text()?;
        for _ in 0..reader.len()? {
            reader.i32()?;
            codes.push(Code(reader.i16()?));
        }
    }
    Ok(gravest(&codes))
}

fn gravest(codes: &[Code]) -> Result<(), Code> {
    match codes.iter().max_by_key(|code| code.verdict()) {
        Some(code) if !code.is_none() => Err(*code),
        _ => Ok(()),
    }
}

/// The group's offsets will be part of the transaction.
pub(in crate::direct) fn add_offsets_request(asks: Asks<'_>, group: &str) -> Vec<u8> {
    let mut body = asks.write();
    body.text(group);
    body
}

pub(in crate::direct) fn end_request(asks: Asks<'_>) -> Vec<u8> {
    const COMMIT: i8 = 1;
    let mut body = asks.write();
    body.i8(COMMIT);
    body
}

/// The answer to both.
pub(in crate::direct) fn granted(answer: &[u8]) -> Result<Result<(), Code>, WireError> {
    let mut reader = Reader::new(answer);
    reader.i32()?; // throttle
    Ok(gravest(&[Code(reader.i16()?)]))
}

/// Next offsets, which count once the transaction is committed.
pub(in crate::direct) fn commit_offsets_request(
    asks: Asks<'_>,
    member: &Membership,
    offsets: &[(Partition, i64)],
) -> Vec<u8> {
    let mut sorted: Vec<&(Partition, i64)> = offsets.iter().collect();
    sorted.sort_unstable();
    let mut body = Vec::new();
    body.no_tags(); // of the request's head
    body.compact_text(Some(asks.id));
    body.compact_text(Some(&member.group));
    body.i64(asks.producer);
    body.i16(asks.epoch);
    body.i32(member.generation);
    body.compact_text(Some(&member.member));
    body.compact_text(member.instance.as_deref());
    let topics: Vec<_> = sorted.chunk_by(|(one, _), (next, _)| one.topic == next.topic).collect();
    body.compact_len_of(topics.len());
    for of_topic in topics {
        body.compact_text(Some(&of_topic[0].0.topic));
        body.compact_len_of(of_topic.len());
        for (partition, offset) in of_topic {
            body.i32(partition.partition);
            body.i64(*offset);
            body.i32(-1); // the epoch of the leader that it was read from is not known here
            body.compact_text(Some(""));
            body.no_tags();
        }
        body.no_tags();
    }
    body.no_tags();
    body
}

/// The gravest thing that was said of a partition.
pub(in crate::direct) fn commit_offsets(answer: &[u8]) -> Result<Result<(), Code>, WireError> {
    let mut reader = Reader::new(answer);
    reader.skip_tags()?; // of the answer's head
    reader.i32()?; // throttle
    let mut codes = Vec::new();
    for _ in 0..reader.compact_len()? {
        reader.compact_text()?;
        for _ in 0..reader.compact_len()? {
            reader.i32()?;
            codes.push(Code(reader.i16()?));
            reader.skip_tags()?;
        }
        reader.skip_tags()?;
    }
    Ok(gravest(&codes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_partitions_the_gravest_code_counts() {
        let code = |codes: &[i16]| {
            let mut bytes = Vec::new();
            bytes.i32(0);
            bytes.len_of(1);
            bytes.text("t");
            bytes.len_of(codes.len());
            codes.iter().zip(0..).for_each(|(code, partition)| {
                bytes.i32(partition);
                bytes.i16(*code);
            });
            add_partitions(&bytes).expect("an answer")
        };
        assert_eq!(code(&[0, 0]), Ok(()));
        assert_eq!(code(&[0, 51, 0]), Err(Code::CONCURRENT_TRANSACTIONS));
        assert_eq!(code(&[51, 16]), Err(Code::NOT_COORDINATOR));
        let denied = code(&[55, 29, 55]).expect_err("denied");
        assert_eq!((denied.0, denied.verdict()), (29, Verdict::Denied));
    }

    #[test]
    fn offsets_are_said_by_topic_with_the_member_that_commits_them() {
        let asks = Asks { id: "id", producer: 7, epoch: 2 };
        let member = Membership { group: "g".into(), generation: 5, member: "m".into(), instance: None };
        let at = |topic: &str, partition| Partition { topic: topic.into(), partition };
        let body = commit_offsets_request(asks, &member, &[(at("b", 0), 9), (at("a", 1), 8), (at("a", 0), 7)]);
        let mut reader = Reader::new(&body);
        reader.skip_tags().expect("no tags");
        assert_eq!((reader.compact_text(), reader.compact_text()), (Ok(Some("id")), Ok(Some("g"))));
        assert_eq!((reader.i64(), reader.i16(), reader.i32()), (Ok(7), Ok(2), Ok(5)));
        assert_eq!((reader.compact_text(), reader.compact_text()), (Ok(Some("m")), Ok(None)));
        assert_eq!(reader.compact_len(), Ok(2));
        for (topic, offsets) in [("a", &[(0, 7), (1, 8)][..]), ("b", &[(0, 9)])] {
            assert_eq!((reader.compact_text(), reader.compact_len()), (Ok(Some(topic)), Ok(offsets.len())));
            for (partition, offset) in offsets {
                assert_eq!((reader.i32(), reader.i64(), reader.i32()), (Ok(*partition), Ok(*offset), Ok(-1)));
                assert_eq!((reader.compact_text(), reader.skip_tags()), (Ok(Some("")), Ok(())));
            }
            assert_eq!(reader.skip_tags(), Ok(()));
        }
        assert_eq!((reader.skip_tags(), reader.rest()), (Ok(()), 0));
    }
}
