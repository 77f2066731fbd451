use std::{sync::Arc, time::Duration};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, DefaultConsumerContext},
    mocking::MockCluster,
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
    types::{RDKafkaApiKey, RDKafkaRespErr as Refusal},
};

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);
/// Records in each of two partitions, with a second between their timestamps.
const EACH: i64 = 5;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> (Cluster, BaseConsumer, Vec<Partition>) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 2, 1).unwrap();
    let config = |group: &str| {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", group);
        config
    };
    let producer: ThreadedProducer<DefaultProducerContext> = config("").create().unwrap();
    for number in 0..EACH {
        for partition in 0..2 {
            let record = BaseRecord::<str, str>::to("t").partition(partition).payload("x").timestamp(number * 1000);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
    }
    producer.flush(PATIENCE).unwrap();
    let client = config("g").create_with_context(DefaultConsumerContext).unwrap();
    let topic: Arc<str> = "t".into();
    let partitions = (0..2).map(|partition| Partition { topic: Arc::clone(&topic), partition }).collect();
    (cluster, client, partitions)
}

#[test]
fn what_is_refused_for_a_while_is_asked_again() {
    let (cluster, client, partitions) = cluster();
    // These librdkafka hands on, and these it asks again itself, and adds the second answer behind the first.
    for refusal in [
        Refusal::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Refusal::RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
        Refusal::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        Refusal::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
    ] {
        for times in 1..=3 {
            let refused = || cluster.request_errors(RDKafkaApiKey::ListOffsets, &vec![refusal; times]);
            refused();
            let ends = ends(&client, &partitions, PATIENCE).unwrap();
            assert_eq!(ends, [(0, EACH), (0, EACH)], "{refusal:?}, {times} times");
        }
    }
}

// The mock cluster finds no record by its time: that is for the end-to-end tests.
#[test]
fn a_time_behind_the_last_record_means_the_one_to_come() {
    let (_cluster, client, partitions) = cluster();
    let behind = offsets(&client, &partitions, StartAt::Time(EACH * 1000), PATIENCE).unwrap();
    assert_eq!(behind, [EACH; 2]);
}

#[test]
fn the_group_s_offsets_are_those_of_all_partitions_or_none() {
    let (_cluster, client, partitions) = cluster();
    assert_eq!(committed(&client, &partitions, PATIENCE).unwrap(), [None, None]);
    let second = to_list([(&partitions[1], Offset::Offset(3))].into_iter()).unwrap();
    client.commit(&second, rdkafka::consumer::CommitMode::Sync).unwrap();
    assert_eq!(committed(&client, &partitions, PATIENCE).unwrap(), [None, Some(3)]);
}

#[test]
fn no_answer_in_time_is_an_error() {
    let (cluster, client, partitions) = cluster();
    let refusals = vec![Refusal::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 1000];
    cluster.request_errors(RDKafkaApiKey::ListOffsets, &refusals);
    let error = ends(&client, &partitions, Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.call, "ask for offsets");
    assert!(offsets(&client, &[], StartAt::Latest, PATIENCE).unwrap().is_empty());
}

#[test]
fn an_answer_with_an_error_for_a_partition_is_none() {
    let partition = |partition| Partition { topic: "t".into(), partition };
    let answer = to_list([(&partition(0), Offset::Offset(7)), (&partition(1), Offset::End)].into_iter()).unwrap();
    assert_eq!(read(&answer, &[partition(1), partition(0)]).unwrap(), [None, Some(7)]);
    assert!(read(&answer, &[partition(2)]).is_err());
}
