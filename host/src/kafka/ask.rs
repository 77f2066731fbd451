//! Questions about offsets, for many partitions at once. An answer that names an error for one of them is no answer: it
//! is asked again while that may pass, as right after a topic was made, or while its leader moves.
//!
//! librdkafka's own question for both ends of a partition, `rd_kafka_query_watermark_offsets`, is not used. It sends one
//! request for each end; where the first is refused and the second one's answer is there already, it takes the end for
//! the beginning as well, and says that all is well (rdkafka.c, `rd_kafka_query_wmark_offsets_resp_cb`): all records of
//! the partition would be skipped.

use std::time::{Duration, Instant};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError as RdError, KafkaResult, RDKafkaErrorCode},
};

use super::{
    KafkaError,
    consumer::{Partition, StartAt, to_list},
};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// Next offsets of the client's group, in the order of `partitions`; none where it has none.
///
/// # Errors
/// No answer for all of them within `patience`.
pub(super) fn committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[Partition],
    patience: Duration,
) -> Result<Vec<Option<i64>>, KafkaError> {
    let ask = |list, left| client.committed_offsets(list, left);
    patiently("ask for committed offsets", partitions, Offset::Invalid, patience, ask)
}

/// Offsets of the records that `at` names, in the order of `partitions`; of the one to come where there is no record that
/// late.
///
/// # Errors
/// As [`committed`].
pub(super) fn offsets<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[Partition],
    at: StartAt,
    patience: Duration,
) -> Result<Vec<i64>, KafkaError> {
    const CALL: &str = "ask for offsets";
    let ask = |at| patiently(CALL, partitions, at, patience, |list, left| client.offsets_for_times(list, left));
    // As the protocol has it (KIP-79): -2 for the first one, -1 for the one to come.
    let found = ask(match at {
        StartAt::Earliest => Offset::Beginning,
        StartAt::Latest => Offset::End,
        StartAt::Time(time) => Offset::Offset(time),
    })?;
    let ends = if found.contains(&None) { ask(Offset::End)? } else { vec![None; found.len()] };
    let offsets = found.into_iter().zip(ends).map(|(found, end)| found.or(end));
    offsets.collect::<Option<_>>().ok_or_else(|| KafkaError::new(CALL, "a partition has no end"))
}

/// Offset of the oldest record that is there, and of the next one to come.
///
/// # Errors
/// As [`committed`].
pub(super) fn ends<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[Partition],
    patience: Duration,
) -> Result<Vec<(i64, i64)>, KafkaError> {
    let low = offsets(client, partitions, StartAt::Earliest, patience)?;
    let high = offsets(client, partitions, StartAt::Latest, patience)?;
    Ok(low.into_iter().zip(high).collect())
}

fn patiently(
    call: &'static str,
    partitions: &[Partition],
    question: Offset,
    patience: Duration,
    ask: impl Fn(TopicPartitionList, Duration) -> KafkaResult<TopicPartitionList>,
) -> Result<Vec<Option<i64>>, KafkaError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let deadline = Instant::now() + patience;
    loop {
        let list = to_list(partitions.iter().map(|partition| (partition, question)))?;
        let answer = ask(list, deadline.saturating_duration_since(Instant::now()));
        match answer.and_then(|answer| read(&answer, partitions)) {
            Err(error) if passes(&error) && Instant::now() + PAUSE < deadline => std::thread::sleep(PAUSE),
            answer => return answer.map_err(|error| KafkaError::new(call, error)),
        }
    }
}

fn read(answer: &TopicPartitionList, partitions: &[Partition]) -> KafkaResult<Vec<Option<i64>>> {
    let offset = |partition: &Partition| {
        let missing = RdError::OffsetFetch(RDKafkaErrorCode::UnknownPartition);
        let one = answer.find_partition(&partition.topic, partition.partition).ok_or(missing)?;
        one.error()?;
        Ok(match one.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        })
    };
    partitions.iter().map(offset).collect()
}

/// What a leader that has just become one says, or one that no longer is.
fn passes(error: &RdError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::ReplicaNotAvailable
                | Code::UnknownTopicOrPartition
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::OffsetNotAvailable
                | Code::KafkaStorageError
                | Code::UnstableOffsetCommit
                | Code::BrokerTransportFailure
        )
    )
}

#[cfg(test)]
mod tests;
