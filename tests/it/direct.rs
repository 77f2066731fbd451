//! The direct path: what it reads and writes is what librdkafka reads and writes, whatever happens to brokers and hosts.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use e2e::{Host, OwnKafka, PATIENCE, Read, SASL_USER, Topic, guest, services, timestamp, unique, wait_until};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::{Header, Headers as _, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

/// A pipeline of `identity` whose clients are named, with what else the source and the sink are to have.
fn pipeline(name: &str, client: &str, kafka: &str, from: &str, to: &str, source: &str, sink: &str) -> String {
    format!(
        "pipeline: {name}\n\
         source: {{ kafka: {{ brokers: [\"{}\"], topics: [{from}], client: {client}, {source} }} }}\n\
         module: {{ ref: identity@1 }}\nroutes: {{ out: [out] }}\n\
         sinks: {{ out: {{ kafka: {{ topic: {to}, client: {client}, {sink} }} }} }}\n",
        kafka.replace(',', "\", \"")
    )
}

fn host() -> Host {
    let host = Host::start();
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    host
}

fn producer(brokers: &str, properties: &[(&str, &str)]) -> ThreadedProducer<DefaultProducerContext> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("linger.ms", "5").set("enable.idempotence", "true");
    properties.iter().for_each(|(name, value)| {
        config.set(*name, *value);
    });
    config.create().expect("a producer")
}

/// A record, null told from empty.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Whole {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// All records of a partition up to `count`.
fn read_whole(topic: &str, partition: i32, count: usize) -> Vec<Whole> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &services().kafka).set("group.id", "tests").set("check.crcs", "true");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    consumer.assign(&list).expect("assigned");
    let (mut read, mut vain) = (Vec::with_capacity(count), 0);
    while read.len() < count {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else {
            vain += 1;
            assert!(vain < PATIENCE.as_millis() / 100, "{} of {count} records of {topic}[{partition}]", read.len());
            continue;
        };
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        read.push(Whole {
            offset: message.offset(),
            timestamp: message.timestamp().to_millis().unwrap_or(-1),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.map(|header| (header.key.into(), header.value.map(<[u8]>::to_vec))).collect(),
        });
    }
    read
}

/// Everything that a record can be.
fn write_all_kinds(topic: &Topic, records: u64) {
    let producer = Topic::producer();
    for number in 0..records {
        let (key, value) = (format!("key {number}"), format!("value {number} {}", "x".repeat(number as usize % 200)));
        let mut record: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(&topic.name).partition((number % 4) as i32).timestamp(timestamp(number));
        if number % 11 != 0 {
            record = record.key(if number % 13 == 0 { &[] } else { key.as_bytes() });
        }
        if number % 7 != 0 {
            record = record.payload(if number % 17 == 0 { &[] } else { value.as_bytes() });
        }
        if number % 5 == 0 {
            let headers = OwnedHeaders::new()
                .insert(Header { key: "number", value: Some(&value) })
                .insert(Header { key: "null", value: None::<&[u8]> })
                .insert(Header { key: "number", value: Some(b"") });
            record = record.headers(headers);
        }
        while let Err((_, back)) = producer.send(record) {
            record = back;
            producer.poll(Duration::from_millis(5));
        }
    }
    producer.flush(PATIENCE).expect("written");
}

#[test]
fn two_hundred_thousand_records_of_every_kind_are_what_librdkafka_makes_of_them() {
    const RECORDS: u64 = 200_000;
    let (from, host) = (Topic::new("in"), host());
    write_all_kinds(&from, RECORDS);
    let outputs = ["direct", "librdkafka"].map(|client| {
        let to = Topic::new(client);
        let yaml = pipeline(client, client, &services().kafka, &from.name, &to.name, "", "partition: keep");
        host.apply(client, &yaml).ok();
        to
    });
    for partition in 0..4 {
        let [direct, librdkafka] = outputs.each_ref().map(|to| read_whole(&to.name, partition, RECORDS as usize / 4));
        assert!(direct == read_whole(&from.name, partition, RECORDS as usize / 4), "not the input");
        assert!(direct == librdkafka, "not the same");
    }
    for client in ["direct", "librdkafka"] {
        wait_until("the counters", || host.through(client) == RECORDS);
        let status = host.status(client);
        let records = status["partitions"].to_string();
        assert_eq!(records.matches("\"lag\":0").count(), 4, "{status}");
    }
}

#[test]
fn a_key_leads_where_librdkafka_has_it() {
    const RECORDS: u64 = 20_000;
    let (from, host) = (Topic::new("in"), host());
    from.write(0, (0..RECORDS).map(|number| number.to_string()));
    let [direct, librdkafka] = ["direct", "librdkafka"].map(|client| {
        let to = Topic::new(client);
        host.apply(client, &pipeline(client, client, &services().kafka, &from.name, &to.name, "", "")).ok();
        let read = to.read(RECORDS as usize);
        read.into_iter().map(|record| (record.key, record.partition)).collect::<BTreeMap<_, _>>()
    });
    assert!(direct == librdkafka);
    assert_eq!(direct.values().collect::<HashSet<_>>().len(), 4);
}

#[test]
fn records_without_a_key_go_round() {
    let (from, to, host) = (Topic::new("in"), Topic::new("out"), host());
    host.apply("keyless", &pipeline("keyless", "direct", &services().kafka, &from.name, &to.name, "", "")).ok();
    let producer = Topic::producer();
    let mut sent = 0;
    // Until one has come to each partition.
    let mut seen = HashSet::new();
    while seen.len() < 4 {
        for number in sent..sent + 50 {
            let value = number.to_string();
            producer
                .send(BaseRecord::<(), str>::to(&from.name).payload(&value))
                .map_err(|(error, _)| error)
                .expect("sent");
        }
        sent += 50;
        producer.flush(PATIENCE).expect("written");
        seen = to.read(sent).iter().map(|record| record.partition).collect();
        assert!(sent < 10_000, "{seen:?}");
    }
}

#[test]
fn every_compression_is_read_and_written() {
    const RECORDS: u64 = 20_000;
    let host = host();
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let (from, to) = (Topic::new(codec), Topic::new("out"));
        let producer = producer(&services().kafka, &[("compression.type", codec), ("linger.ms", "50")]);
        for number in 0..RECORDS {
            let value = format!("{number} {}", "compressible ".repeat(20));
            let key = number.to_string();
            let record = BaseRecord::to(&from.name).partition((number % 4) as i32).key(&key).payload(&value);
            producer.send(record.timestamp(timestamp(number))).map_err(|(error, _)| error).expect("room");
        }
        producer.flush(PATIENCE).expect("written");
        let sink = format!("partition: keep, properties: {{ compression.type: {codec}, linger.ms: 50 }}");
        host.apply(codec, &pipeline(codec, "direct", &services().kafka, &from.name, &to.name, "", &sink)).ok();
        for partition in 0..4 {
            let count = RECORDS as usize / 4;
            let [read, written] = [&from, &to].map(|topic| read_whole(&topic.name, partition, count));
            assert!(read == written, "{codec}");
        }
    }
}

#[test]
fn records_of_aborted_transactions_are_left_out() {
    let (from, host) = (Topic::new("in"), host());
    let producers = ["one", "two"].map(|name| {
        let producer = producer(&services().kafka, &[("transactional.id", &unique(name))]);
        producer.init_transactions(PATIENCE).expect("begun");
        producer
    });
    let (mut committed, mut number) = (Vec::new(), 0);
    for round in 0..12 {
        // Two transactions lie over each other; one of them, both or none is aborted.
        producers.iter().for_each(|producer| producer.begin_transaction().expect("begun"));
        let mut of_producer = [Vec::new(), Vec::new()];
        for step in 0..20 {
            let one = step % 2;
            let (key, value) = (number.to_string(), format!("round {round} step {step}"));
            let record = BaseRecord::to(&from.name).partition((step / 2) % 4).key(&key).payload(&value);
            producers[one as usize].send(record).map_err(|(error, _)| error).expect("room");
            if step % 10 == 9 {
                // Between each other in the log.
                producers.iter().for_each(|producer| producer.flush(PATIENCE).expect("written"));
            }
            of_producer[one as usize].push(number.to_string());
            number += 1;
        }
        for (one, producer) in producers.iter().enumerate() {
            if (round >> one) & 1 == 0 {
                producer.commit_transaction(PATIENCE).expect("committed");
                committed.append(&mut of_producer[one]);
            } else {
                producer.abort_transaction(PATIENCE).expect("aborted");
            }
        }
    }
    let to = Topic::new("out");
    // Small fetches cut transactions apart.
    let source = "properties: { fetch.message.max.bytes: 300 }";
    host.apply("aborted", &pipeline("aborted", "direct", &services().kafka, &from.name, &to.name, source, "")).ok();
    wait_until("the records", || host.through("aborted") >= committed.len() as u64);
    let mut read: Vec<String> = to.read_all().into_iter().filter_map(|record| record.key).collect();
    read.sort();
    committed.sort();
    assert!(read == committed, "{} of {} records", read.len(), committed.len());
}

/// What is read of a topic until each number below `records` came; fails if one came in a wrong order for the first time.
fn read_until_all(to: &Topic, brokers: &str, records: u64) -> Vec<Read> {
    let mut seen = vec![false; records as usize];
    let (mut checked, mut missing) = (0, records);
    let mut last: BTreeMap<i32, u64> = BTreeMap::new();
    let read = to.read_of(brokers, |read| {
        for record in &read[checked..] {
            let number: u64 = record.key.as_deref().and_then(|key| key.parse().ok()).expect("a number");
            if !std::mem::replace(&mut seen[number as usize], true) {
                missing -= 1;
                let before = last.insert(record.partition, number);
                assert!(before.is_none_or(|before| before < number), "{number} after {before:?}");
            }
        }
        checked = read.len();
        missing == 0
    });
    assert_eq!(missing, 0);
    read
}

#[test]
fn a_leader_that_is_killed_and_comes_back_costs_nothing_but_time() {
    const RECORDS: u64 = 120_000;
    const ROUNDS: u64 = 6;
    let cluster = OwnKafka::cluster();
    let names = ["in", "out"].map(unique);
    let [from, to] = names.each_ref().map(|name| cluster.topic(name, 4, 3));
    let host = host();
    let sink = "partition: keep";
    let source = "properties: { session.timeout.ms: 6000 }";
    host.apply("leader", &pipeline("leader", "direct", &cluster.brokers, &from.name, &to.name, source, sink)).ok();
    let producer = producer(&cluster.brokers, &[("message.timeout.ms", "120000")]);
    let write = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            let (key, value) = (number.to_string(), format!("value {number} {}", "x".repeat(80)));
            let record = BaseRecord::to(&from.name).partition((number % 4) as i32).key(&key).payload(&value);
            producer.send(record).map_err(|(error, _)| error).expect("room");
        }
    };
    for round in 0..ROUNDS {
        let through = host.through("leader");
        write(round * RECORDS / ROUNDS..(round + 1) * RECORDS / ROUNDS);
        wait_until("records", || host.through("leader") > through);
        let broker = format!("broker{}", round % 3 + 1);
        cluster.kill_one(&broker);
        cluster.restart_one(&broker);
    }
    producer.flush(PATIENCE).expect("written");
    let read = read_until_all(&to, &cluster.brokers, RECORDS);
    let status = host.status("leader");
    assert_eq!(status["records"]["dead_lettered"], 0, "{status}");
    // Without a lane that started over nothing is sent twice: a producer's batches are known by their sequence.
    if !host.log().contains("lane starts over") && status["rebalances"] == 1 {
        assert_eq!(read.len(), RECORDS as usize);
    }
}

#[test]
fn partitions_move_between_two_hosts_and_nothing_is_lost() {
    const RECORDS: u64 = 150_000;
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let (first, mut second) = (host(), host());
    let group = unique("group");
    let source = format!("group: {group}, properties: {{ session.timeout.ms: 6000 }}");
    let yaml = pipeline("move", "direct", &services().kafka, &from.name, &to.name, &source, "partition: keep");
    first.apply("move", &yaml).ok();
    std::thread::scope(|scope| {
        scope.spawn(|| from.write(0, (0..RECORDS).map(|number| format!("value {number}"))));
        wait_until("records", || first.through("move") > RECORDS / 20);
        second.apply("move", &yaml).ok();
        wait_until("a share", || {
            second.status("move")["partitions"].as_object().is_some_and(|topics| !topics.is_empty())
        });
    });
    let read = read_until_all(&to, &services().kafka, RECORDS);
    // It is clean: what was in flight is settled and committed before a partition is given up.
    assert_eq!(read.len(), RECORDS as usize);
    assert_eq!(second.terminate(), Some(0));
    from.write(RECORDS, (RECORDS..RECORDS + 1000).map(|number| format!("value {number}")));
    assert_eq!(to.read(RECORDS as usize + 1000).len(), RECORDS as usize + 1000);
}

#[test]
fn a_host_that_is_killed_again_and_again_loses_nothing() {
    const RECORDS: u64 = 120_000;
    let (from, to, mut host) = (Topic::new("in"), Topic::new("out"), host());
    let source = "properties: { session.timeout.ms: 6000 }";
    host.apply("kill", &pipeline("kill", "direct", &services().kafka, &from.name, &to.name, source, "partition: keep"))
        .ok();
    for part in 0..4 {
        from.write(part * RECORDS / 4, (part * RECORDS / 4..(part + 1) * RECORDS / 4).map(|number| number.to_string()));
        wait_until("records", || host.through("kill") > 0);
        host.kill_and_restart();
    }
    read_until_all(&to, &services().kafka, RECORDS);
}

#[test]
fn what_only_librdkafka_does_is_said_or_left_to_it() {
    let (from, to, host) = (Topic::new("in"), Topic::new("out"), host());
    let of = |name: &str, client: &str, source: &str, sink: &str| {
        pipeline(name, client, &services().kafka, &from.name, &to.name, source, sink)
    };
    let sasl = "properties: { security.protocol: SASL_PLAINTEXT, sasl.password: hunter2 }";
    for (source, sink, words) in [
        (sasl, "", "`security.protocol: SASL_PLAINTEXT` is librdkafka's alone"),
        ("", "properties: { acks: 1 }", "acks"),
        ("", "properties: { queue.buffering.max.kbytes: 1000 }", "`queue.buffering.max.kbytes` is librdkafka's alone"),
    ] {
        let answer = host.apply("refused", &of("refused", "direct", source, sink));
        let said = answer.json.to_string();
        assert!(answer.code != 0 && said.contains(words) && !said.contains("hunter2"), "{said}");
    }
    let exact = of("exact", "direct", "", "properties: { message.timeout.ms: 20000 }") + "delivery: exactly-once\n";
    let said = host.apply("exact", &exact).json.to_string();
    assert!(said.contains("`message.timeout.ms: 20000` is librdkafka's alone"), "{said}");

    // Left to choose, it is librdkafka's.
    let source = "properties: { fetch.error.backoff.ms: 100 }";
    host.apply("left", &of("left", "auto", source, "properties: { queue.buffering.max.kbytes: 1000 }")).ok();
    from.write(0, (0..1000).map(|number| number.to_string()));
    assert_eq!(to.read(1000).len(), 1000);
    for call in ["fetch records", "send records"] {
        assert!(host.log().contains(&format!("librdkafka is to {call}")), "{}", host.log());
    }
}

#[test]
fn with_a_password_auto_is_librdkafka() {
    let (own, host) = (OwnKafka::start(), host());
    let (from, to) = (own.topic(&unique("in"), 4, 1), own.topic(&unique("out"), 4, 1));
    let (user, password) = SASL_USER;
    let properties = format!(
        "properties: {{ security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, sasl.username: {user}, sasl.password: {password} }}"
    );
    host.apply("sasl", &pipeline("sasl", "auto", &own.sasl, &from.name, &to.name, &properties, &properties)).ok();
    let producer = producer(&own.brokers, &[]);
    for number in 0..1000 {
        let key = number.to_string();
        producer.send(BaseRecord::to(&from.name).key(&key).payload("x")).map_err(|(error, _)| error).expect("room");
    }
    producer.flush(PATIENCE).expect("written");
    assert_eq!(to.read_of(&own.brokers, |read| read.len() >= 1000).len(), 1000);
}
