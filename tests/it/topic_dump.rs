//! Topics of one cluster copied to another, as the README of the example starts it.

use std::collections::BTreeSet;

use e2e::{Example, Read, Topic, other_kafka, services, timestamp, unique, wait_until};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer},
};
use std::time::Duration;

const RECORDS: u64 = 2000;

/// Records with and without key, value and headers, each in a partition that has nothing to do with its key.
fn write(topic: &str) {
    let producer = Topic::producer();
    for number in 0..RECORDS {
        let (key, value) = (format!("key {}", number % 7), format!("value {number}"));
        let mut record = BaseRecord::to(topic).partition((number * number % 4) as i32).timestamp(timestamp(number));
        if !number.is_multiple_of(3) {
            record = record.key(&key);
        }
        if !number.is_multiple_of(5) {
            record = record.payload(&value);
        }
        if !number.is_multiple_of(2) {
            let text = number.to_string();
            let headers = OwnedHeaders::new().insert(Header { key: "number", value: Some(&text) });
            record = record.headers(headers.insert(Header { key: "empty", value: Some("") }));
        }
        producer.send(record).map_err(|(error, _)| error).expect("room for it");
    }
    producer.flush(Duration::from_secs(60)).expect("written");
}

/// In the order of partition and offset.
fn sorted(mut read: Vec<Read>) -> Vec<Read> {
    read.sort_by_key(|record| (record.partition, record.offset));
    read
}

fn names_elsewhere() -> BTreeSet<String> {
    let config = ClientConfig::new().set("bootstrap.servers", other_kafka()).clone();
    let client: AdminClient<DefaultClientContext> = config.create().expect("a client");
    let metadata = client.inner().fetch_metadata(None, Duration::from_secs(10)).expect("an answer");
    metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
}

#[test]
fn topics_are_copied_as_they_are_and_renamed_if_wished() {
    let family = unique("dump");
    let one = |name: &str| Topic::new(&format!("{family}.{name}"));
    let (orders, users, internal) = (one("orders"), one("users"), Topic::new(&format!("__{family}")));
    [&orders, &users, &internal].iter().for_each(|topic| write(&topic.name));
    let dump = Example::new("topic-dump")
        .set("FROM", &services().kafka)
        .set("TO", other_kafka())
        .set("TOPICS", format!("^(__)?{family}"))
        .set("RENAME", format!("{}={}-copy", users.name, users.name))
        .replace("source:\n  kafka: {", "source:\n  kafka: { properties: { topic.metadata.refresh.interval.ms: 300 },");
    let host = dump.run();
    wait_until("the records", || host.through(&dump.name) == 2 * RECORDS);
    // One that is made while the dump runs.
    let late = one("late");
    write(&late.name);

    let renamed = Topic { name: format!("{}-copy", users.name), partitions: 4 };
    for (from, to) in [(&orders, &orders), (&users, &renamed), (&late, &late)] {
        let all = |read: &[Read]| read.len() == RECORDS as usize;
        let (original, copy) = (sorted(from.read_until(all)), sorted(to.read_of(other_kafka(), all)));
        assert_eq!(copy, original, "key, value, headers, timestamp, partition and order of {}", from.name);
    }
    wait_until("the late ones", || host.through(&dump.name) == 3 * RECORDS);
    let names = names_elsewhere();
    let copied: BTreeSet<_> = names.iter().filter(|name| name.contains(&family)).cloned().collect();
    let expected = [&orders.name, &renamed.name, &late.name].map(Clone::clone);
    assert_eq!(copied, BTreeSet::from(expected), "internal topics are no topics to a pattern");

    let named = Example::new("topic-dump")
        .set("FROM", &services().kafka)
        .set("TO", other_kafka())
        .set("TOPICS", &internal.name);
    let host = named.run();
    wait_until("the refusal", || host.status(&named.name)["state"] == "failed");
    let status = host.status(&named.name);
    assert!(status["reason"].as_str().is_some_and(|reason| reason.contains("internal to its cluster")), "{status}");
}

#[test]
fn a_partition_that_the_other_topic_does_not_have_stops_the_dump() {
    let from = Topic::new("wide");
    write(&from.name);
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", other_kafka()).create().expect("a client");
    let narrow = NewTopic::new(&from.name, 1, TopicReplication::Fixed(1));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let made = runtime.block_on(admin.create_topics([&narrow], &AdminOptions::new())).expect("an answer");
    made.into_iter().for_each(|topic| drop(topic.expect("a topic")));

    let dump = |name: &str| {
        Example::new("topic-dump").set("FROM", &services().kafka).set("TO", other_kafka()).set("TOPICS", name)
    };
    let keeps = dump(&from.name);
    let host = keeps.run();
    wait_until("the stop", || host.status(&keeps.name)["state"] == "failed");
    let status = host.status(&keeps.name);
    let reason = status["reason"].as_str().expect("a reason");
    assert!(reason.contains("sink `copy`") && reason.contains("which their topic has to have"), "{reason}");

    // By key they fit.
    let by_key = dump(&from.name).set("PARTITION", "key").set("PREFIX", "by-key.");
    let host = by_key.run();
    wait_until("the records", || host.through(&by_key.name) == RECORDS);
}
