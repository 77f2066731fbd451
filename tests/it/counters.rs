//! Counts in Redis, each record once; and keys that live as long as their record says.

use e2e::{Host, Keys, Topic, guest, services, wait_until};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer},
};
use serde_json::json;
use std::time::Duration;

fn pipeline(name: &str, from: &Topic, keys: &Keys) -> String {
    let Keys { prefix, .. } = keys;
    let (kafka, redis) = (&services().kafka, &services().redis);
    format!(
        "pipeline: {name}\n\
         source: {{ kafka: {{ brokers: [\"{kafka}\"], topics: [{topic}], properties: {{ session.timeout.ms: 6000 }} }} }}\n\
         module: {{ ref: identity@1 }}\n\
         routes: {{ out: [views, fields] }}\n\
         sinks:\n\
         \x20 views: {{ redis: {{ url: \"{redis}\", command: counter, key: \"{prefix}:views\", ttl: 1h }} }}\n\
         \x20 fields: {{ redis: {{ url: \"{redis}\", command: counter, key: \"{prefix}:by-key\", field: \"{{key}}\" }} }}\n\
         errors: {{ dead_letter: {{ kafka: {{ topic: {topic}.dead }} }} }}\n",
        topic = from.name,
    )
}

#[test]
fn a_counter_counts_each_record_once_whatever_is_delivered_again() {
    const RECORDS: u64 = 60_000;
    let (from, mut keys, mut host) = (Topic::new("clicks"), Keys::new("counts"), Host::start());
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    host.apply("counts", &pipeline("counts", &from, &keys)).ok();
    // Keys go to all partitions: a counter has several sources.
    let records = |count: u64| (0..count).map(|number| ((number % 101).to_string(), Some((number % 7).to_string())));
    from.write_keyed(0, records(RECORDS));
    wait_until("records", || host.through("counts") > RECORDS / 20);
    host.kill_and_restart();
    // And all of it once more, by a pipeline with a group of its own.
    host.apply("again", &pipeline("again", &from, &keys)).ok();
    wait_until("the records", || host.through("again") == RECORDS);
    wait_until("no lag", || host.status("counts")["lag"] == 0);

    let total: u64 = (0..RECORDS).map(|number| number % 7).sum();
    assert_eq!(keys.run::<u64>("GET", "views", &[]), total);
    assert!(keys.run::<i64>("PTTL", "views", &[]) > 3_000_000);
    for key in 0..101 {
        let expected: u64 = (0..RECORDS).filter(|number| number % 101 == key).map(|number| number % 7).sum();
        assert_eq!(keys.run::<u64>("HGET", "by-key", &[&key.to_string()]), expected, "key {key}");
    }
    let again = host.status("again");
    assert!(again["sinks"]["views"]["ignored"].as_u64() > Some(0), "{again}");

    from.write_keyed(RECORDS, [("x".to_owned(), Some("many".to_owned()))].into_iter());
    let dead = Topic { name: format!("{}.dead", from.name), partitions: 4 };
    let letter = &dead.read(1)[0];
    let reason = &letter.headers["__connect.errors.exception.message"];
    assert!(reason.contains("no whole number"), "{reason}");
}

#[test]
fn a_key_lives_as_long_as_its_record_says() {
    let (from, mut keys, host) = (Topic::new("sessions"), Keys::new("sessions"), Host::start());
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    let redis = format!(
        "redis: {{ url: \"{}\", command: string, key: \"{}:{{key}}\", ttl: 10m, ttl_header: lives }}",
        services().redis,
        keys.prefix
    );
    let yaml = pipeline("lives", &from, &keys)
        .replace("out: [views, fields]", "out: [sessions]")
        .replace("  views:", &format!("  sessions: {{ {redis} }}\n  views:"));
    host.apply("lives", &yaml).ok();
    let producer = Topic::producer();
    for (key, lives) in [("own", Some("2h")), ("sink", None), ("bad", Some("soon")), ("short", Some("5ms"))] {
        let headers = lives.map(|lives| OwnedHeaders::new().insert(Header { key: "lives", value: Some(lives) }));
        let record = BaseRecord::to(&from.name).key(key).payload("x");
        let record = match headers {
            Some(headers) => record.headers(headers),
            None => record,
        };
        producer.send(record).map_err(|(error, _)| error).expect("room for it");
    }
    producer.flush(Duration::from_secs(60)).expect("written");
    wait_until("the records", || host.through("lives") == 4);
    let hours = |keys: &mut Keys, key: &str| keys.run::<i64>("PTTL", key, &[]) as f64 / 3_600_000.0;
    assert!((1.9..2.0).contains(&hours(&mut keys, "own")));
    assert!((0.1..0.17).contains(&hours(&mut keys, "sink")));
    wait_until("its end", || keys.run::<i64>("EXISTS", "short", &[]) == 0);
    assert_eq!(keys.run::<i64>("EXISTS", "bad", &[]), 0);
    assert_eq!(host.status("lives")["records"]["dead_lettered"], json!(1));
}
