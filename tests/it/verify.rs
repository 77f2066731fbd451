//! `wasmill verify` on real logs: what it cannot compare, and what is not there to be compared.

use std::{fs, ops::Range};

use e2e::{Answer, OwnKafka, PATIENCE, SASL_USER, Topic, services, timestamp, with_peak_memory};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use serde_json::Value;

pub(crate) const PARTITIONS: i32 = 4;

pub(crate) fn side(brokers: &str, topic: &str) -> String {
    format!("brokers={brokers},topic={topic}")
}

pub(crate) fn verify(from: &str, to: &str, more: &[&str]) -> (Answer, u64) {
    with_peak_memory(&[&["verify", "--from", from, "--to", to], more].concat())
}

/// The counts of a report.
pub(crate) fn counts(report: &Value) -> [u64; 5] {
    ["same", "missing", "extra", "different", "reordered"].map(|name| report[name].as_u64().expect("a count"))
}

pub(crate) fn producer(brokers: &str) -> ThreadedProducer<DefaultProducerContext> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("enable.idempotence", "true").set("linger.ms", "20");
    config.create().expect("a producer")
}

/// Records of a producer of the example, in the partition of their number.
pub(crate) fn write(topic: &str, brokers: &str, numbers: Range<u64>) {
    let producer = producer(brokers);
    for number in numbers {
        let (key, value) = (format!("{}", number % 97), format!("order {number}"));
        let headers = OwnedHeaders::new().insert(Header { key: "kind", value: Some("order") });
        let record = BaseRecord::to(topic).partition((number % 4) as i32).key(&key).payload(&value).headers(headers);
        producer.send(record).map_err(|(error, _)| error).expect("room");
    }
    producer.flush(PATIENCE).expect("written");
}

#[test]
fn verify_says_what_it_cannot_compare_and_never_with_the_code_of_a_difference() {
    let (topic, secured) = (Topic::new("logs"), OwnKafka::start());
    topic.write(0, (0..10).map(|number| number.to_string()));
    let kafka = services().kafka.as_str();
    let good = side(kafka, &topic.name);
    let refused = |to: &str, more: &[&str], code: i32, words: &str| {
        let (answer, _) = verify(&good, to, more);
        assert_eq!(answer.code, code, "{answer:?}");
        let detail = answer.json["detail"].as_str().expect("a detail");
        assert!(detail.contains(words), "{detail:?} does not say {words:?}");
    };
    refused(&side(kafka, "nothing"), &[], 4, "it has no topic `nothing`");
    refused(&side("127.0.0.1:9", "x"), &[], 3, "the cluster of --to (127.0.0.1:9): it does not answer: ");
    refused("topic=x", &[], 2, "--to: it names no brokers");
    refused(&format!("{good},no.such=1"), &[], 2, "No such configuration property");
    refused(&good, &["--by", "key", "--overlap"], 2, "--overlap goes with --by lineage");
    refused(&good, &["--skip-unmarked"], 2, "no record was compared: none of the 20 has lineage headers");
    let missing = ["--temp-dir", "/nowhere", "--memory", "1"];
    assert_eq!(verify(&good, &good, &missing).0.code, 0, "a folder that is not needed");

    // A password: from a file, and a wrong one.
    let there = Topic { name: "logs".into(), partitions: PARTITIONS };
    write(&there.name, &secured.brokers, 0..10);
    let file = tempfile::NamedTempFile::new().expect("a file");
    let properties = |password: &str| {
        let text = format!(
            "# of the new cluster\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism = PLAIN\nsasl.username={}\n\
             sasl.password={password}\n",
            SASL_USER.0
        );
        fs::write(file.path(), text).expect("written");
        format!("{},properties={}", side(&secured.sasl, &there.name), file.path().display())
    };
    let right = properties(SASL_USER.1);
    assert_eq!(counts(&verify(&right, &right, &[]).0.ok())[0], 10);
    refused(&properties("wrong"), &[], 5, "it refuses: ");
}

#[test]
fn records_of_aborted_transactions_are_not_there() {
    const ROUND: u64 = 20;
    let (from, to) = (Topic::new("transactions"), Topic::new("plain"));
    let kafka = services().kafka.as_str();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka).set("transactional.id", &from.name);
    let transactional: BaseProducer = config.create().expect("a producer");
    transactional.init_transactions(PATIENCE).expect("transactions");
    let plain = producer(kafka);
    // The last thing in each partition is a mark of a transaction, no record.
    for (round, kept) in [(0, true), (1, false), (2, true), (3, false)] {
        transactional.begin_transaction().expect("a transaction");
        for number in round * ROUND..(round + 1) * ROUND {
            let (key, partition) = (number.to_string(), (number % 4) as i32);
            let record =
                |topic| BaseRecord::to(topic).partition(partition).key(&key).payload("x").timestamp(timestamp(number));
            transactional.send(record(&from.name)).map_err(|(error, _)| error).expect("room");
            if kept {
                plain.send(record(&to.name)).map_err(|(error, _)| error).expect("room");
            }
        }
        let flushed = transactional.flush(PATIENCE).and_then(|()| match kept {
            true => transactional.commit_transaction(PATIENCE),
            false => transactional.abort_transaction(PATIENCE),
        });
        flushed.expect("the end of a transaction");
    }
    plain.flush(PATIENCE).expect("written");
    let (one, other) = (side(kafka, &from.name), side(kafka, &to.name));
    let report = verify(&one, &other, &["--by", "key", "--same-partitions", "--strict"]).0.ok();
    assert_eq!(counts(&report), [2 * ROUND, 0, 0, 0, 0], "{report}");
    let all = format!("{one},isolation.level=read_uncommitted");
    let (answer, _) = verify(&all, &other, &["--by", "key"]);
    assert_eq!((answer.code, counts(&answer.json)), (1, [2 * ROUND, 2 * ROUND, 0, 0, 0]), "{answer:?}");
}
