//! What no real cluster can be asked to do: refusals, by librdkafka's mock cluster.

use e2e::{Host, Topic, guest, wait_until};
use rdkafka::{
    ClientConfig,
    mocking::MockCluster,
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use std::time::Duration;

const PARTITIONS: i32 = 4;
/// Records in each of them.
const EACH: i64 = 25;
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster with topics `in` and `out`.
fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let mock = MockCluster::new(1).expect("a mock cluster");
    for topic in ["in", "out"] {
        mock.create_topic(topic, PARTITIONS, 1).expect("a topic");
    }
    mock
}

/// A host with pipeline `p` from `in` to `out`.
fn host(brokers: &str) -> Host {
    let yaml = format!(
        "pipeline: p\n\
         source: {{ kafka: {{ brokers: [\"{brokers}\"], topics: [in] }} }}\n\
         module: {{ ref: identity@1 }}\n\
         routes: {{ out: [out] }}\n\
         sinks: {{ out: {{ kafka: {{ topic: out }} }} }}\n"
    );
    let host = Host::start();
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    host.apply("p", &yaml).ok();
    host
}

fn write(brokers: &str) {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a producer");
    for number in 0..EACH as i32 * PARTITIONS {
        let record = BaseRecord::<str, str>::to("in").partition(number % PARTITIONS).payload("x");
        producer.send(record).map_err(|(error, _)| error).expect("room for it");
    }
    producer.flush(PATIENCE).expect("written");
}

/// What a commit meets when the group changes under it. Nothing more comes afterwards that would commit again.
#[track_caller]
fn come_to_be_committed(refusal: RDKafkaRespErr) {
    let mock = cluster();
    let brokers = mock.bootstrap_servers();
    let host = host(&brokers);
    wait_until("the partitions", || {
        host.status("p")["partitions"]["in"].as_object().map(|all| all.len()) == Some(PARTITIONS as usize)
    });
    mock.request_errors(RDKafkaApiKey::OffsetCommit, &[refusal]);
    write(&brokers);
    let topic = Topic { name: "in".into(), partitions: PARTITIONS };
    wait_until("the offsets of all records", || {
        topic.committed_of(&brokers, "wasmill.p") == vec![EACH; PARTITIONS as usize]
    });
}

#[test]
fn offsets_refused_since_the_group_has_changed_are_committed_again() {
    come_to_be_committed(RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
}

#[test]
fn offsets_refused_since_the_group_is_changing_are_committed_again() {
    come_to_be_committed(RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
}

/// As right after a topic was made. A lane that started over would deliver again what it had not committed; one that took
/// the end for the beginning would deliver nothing.
#[test]
fn a_partition_whose_leader_does_not_know_of_it_yet_is_asked_again() {
    let mock = cluster();
    let brokers = mock.bootstrap_servers();
    write(&brokers);
    mock.request_errors(RDKafkaApiKey::ListOffsets, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 3]);
    let host = host(&brokers);
    wait_until("the records", || host.through("p") == (EACH as u64) * PARTITIONS as u64);
    let log = host.log();
    assert!(!log.contains("starts over"), "{log}");
}
