//! Whole topics, one record at a time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use e2e::PATIENCE;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::{BorrowedMessage, Headers as _},
};

use super::{record::PARTITIONS, world::World};

fn consumer(world: &World, group: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &world.straight.kafka)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed");
    config.create().expect("a consumer")
}

/// Shows each committed record of a topic, in the order of its partition.
pub(crate) fn each(world: &World, topic: &str, mut see: impl FnMut(&BorrowedMessage<'_>)) {
    let consumer = consumer(world, "reader");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS as i32 {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&list).expect("assigned");
    let (mut open, mut last) = (PARTITIONS, Instant::now());
    while open > 0 {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => see(&message),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => open -= 1,
            _ => {
                assert!(last.elapsed() < PATIENCE, "{topic} cannot be read to its end");
                continue;
            }
        }
        last = Instant::now();
    }
}

/// The number in the header of a record.
pub(crate) fn number(message: &BorrowedMessage<'_>) -> Option<u64> {
    let headers = message.headers()?;
    let header = headers.iter().find(|header| header.key == "n")?;
    std::str::from_utf8(header.value?).ok()?.parse().ok()
}

pub(crate) fn text(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?).ok()
}

/// Where a record is, and how it begins.
pub(crate) fn show(message: &BorrowedMessage<'_>) -> String {
    format!(
        "{}[{}] at {}: {:?}",
        message.topic(),
        message.partition(),
        message.offset(),
        text(message.payload()).map(|text| text.chars().take(80).collect::<String>())
    )
}

/// How many records a group has not committed, by partition where there are any.
pub(crate) fn lag(world: &World, group: &str) -> BTreeMap<i32, i64> {
    let topic = world.topic("in");
    let consumer = consumer(world, group);
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS as i32 {
        list.add_partition(&topic, partition);
    }
    let mut ends = list.clone();
    ends.set_all_offsets(Offset::End).expect("an offset");
    let wait = Duration::from_secs(10);
    let answers = (consumer.committed_offsets(list, wait), consumer.offsets_for_times(ends, wait));
    let (Ok(committed), Ok(ends)) = answers else { return BTreeMap::from([(-1, -1)]) };
    let number = |list: &TopicPartitionList, partition| match list.find_partition(&topic, partition)?.offset() {
        Offset::Offset(number) => Some(number),
        _ => None,
    };
    let mut lags = BTreeMap::new();
    for partition in 0..PARTITIONS as i32 {
        let (done, end) = (number(&committed, partition).unwrap_or(0), number(&ends, partition).unwrap_or(i64::MAX));
        if done < end {
            lags.insert(partition, end - done);
        }
    }
    lags
}
