//! `delivery: exactly-once`: what is committed to the output topics is each record once, whatever dies. Sinks have the
//! direct path's client where nothing else is said.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use e2e::{Host, OwnKafka, PATIENCE, Read, Topic, guest, services, timestamp, unique, wait_until};
use rdkafka::{
    ClientConfig,
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};
use serde_json::{Value, json};

fn pipeline(name: &str, from: &Topic, to: &Topic, delivery: &str) -> String {
    pipeline_of(&services().kafka.replace(',', "\", \""), "direct", name, from, to, delivery)
}

fn pipeline_of(kafka: &str, client: &str, name: &str, from: &Topic, to: &Topic, delivery: &str) -> String {
    format!(
        "pipeline: {name}\n\
         source: {{ kafka: {{ brokers: [\"{kafka}\"], topics: [{}], batch: {{ records: 500 }},\n\
         \x20 properties: {{ session.timeout.ms: 6000 }} }} }}\n\
         module: {{ ref: log-clean@1, config: {{ mark: v1 }} }}\n\
         routes: {{ clean: [out] }}\n\
         sinks: {{ out: {{ kafka: {{ topic: {}, client: {client} }} }} }}\n\
         errors: {{ dead_letter: {{ kafka: {{ topic: {}.dead }} }} }}\n\
         delivery: {delivery}\n",
        from.name, to.name, to.name
    )
}

/// Every thousandth is no JSON, and goes to the dead letters.
fn is_bad(number: u64) -> bool {
    number % 1000 == 999
}

fn line(number: u64) -> String {
    if is_bad(number) { "no JSON".into() } else { format!(r#"{{"n":{number},"text":"line {number}"}}"#) }
}

fn number(record: &Read) -> u64 {
    record.key.as_deref().expect("a key").parse().expect("a number")
}

/// Each expected number once, in the order of its source partition.
#[track_caller]
fn check_once(read: &[Read], expected: impl Iterator<Item = u64>) {
    let mut times: BTreeMap<u64, u32> = expected.map(|number| (number, 0)).collect();
    let mut last = BTreeMap::new();
    for record in read {
        let number = number(record);
        *times.get_mut(&number).unwrap_or_else(|| panic!("{number} was not expected")) += 1;
        let before = last.insert((number % 4, record.partition), number);
        assert!(before < Some(number), "{number} after {before:?}");
    }
    let wrong: Vec<_> = times.iter().filter(|(_, times)| **times != 1).take(10).collect();
    assert!(wrong.is_empty(), "number and how often it came: {wrong:?}");
}

#[test]
fn kills_and_a_swap_in_mid_stream_lose_and_double_nothing() {
    kills_and_a_swap("direct");
}

#[test]
fn kills_and_a_swap_lose_and_double_nothing_with_librdkafka_either() {
    kills_and_a_swap("librdkafka");
}

fn kills_and_a_swap(client: &str) {
    const RECORDS: u64 = 120_000;
    const SHARE: u64 = RECORDS / 4;
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let mut host = Host::start();
    host.cli(&["push", &guest("log-clean"), "log-clean@1"]).ok();
    host.apply("once", &pipeline_of(&services().kafka, client, "once", &from, &to, "exactly-once")).ok();
    let killed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for part in 0..4 {
                wait_until("a kill", || killed.load(Relaxed) >= part);
                from.write(part * SHARE, (part * SHARE..(part + 1) * SHARE).map(line));
            }
        });
        for kill in 0..3 {
            wait_until("records", || host.through("once") > RECORDS / 50);
            if kill == 1 {
                host.cli(&["deploy", "once", "--config", "mark=v2"]).ok();
            }
            host.kill_and_restart();
            killed.fetch_add(1, Relaxed);
        }
    });
    wait_until("the end", || host.status("once")["lag"] == 0);

    let read = to.read_all();
    check_once(&read, (0..RECORDS).filter(|number| !is_bad(*number)));
    let dead = Topic { name: format!("{}.dead", to.name), partitions: 4 };
    check_once(&dead.read_all(), (0..RECORDS).filter(|number| is_bad(*number)));

    let releases = host.cli(&["releases", "once"]).ok();
    assert_eq!(releases[0]["release"], json!(2));
    for record in &read {
        let number = number(record);
        assert_eq!(record.timestamp, timestamp(number));
        let value: Value = serde_json::from_str(record.value.as_deref().expect("a value")).expect("JSON");
        let mark = value["mark"].as_str().expect("a mark");
        assert!(mark == "v2" || mark == "v1" && number < 3 * SHARE, "{value}");
        assert_eq!(value, json!({ "n": number, "text": format!("line {number}"), "mark": mark }));
    }
}

#[test]
fn a_swap_takes_place_between_transactions_and_a_clean_stop_leaves_none_open() {
    const RECORDS: u64 = 60_000;
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let mut host = Host::start();
    host.cli(&["push", &guest("log-clean"), "log-clean@1"]).ok();
    host.apply("swap", &pipeline("swap", &from, &to, "exactly-once")).ok();
    let swapped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            from.write(0, (0..RECORDS / 2).map(line));
            // The second half flows while the swap takes place, and after it.
            wait_until("the swap", || swapped.load(Relaxed));
            from.write(RECORDS / 2, (RECORDS / 2..RECORDS).map(line));
        });
        wait_until("records", || host.through("swap") > RECORDS / 10);
        host.cli(&["deploy", "swap", "--config", "mark=v2"]).ok();
        swapped.store(true, Relaxed);
    });
    wait_until("the end", || host.through("swap") == RECORDS);
    let status = host.status("swap");
    assert_eq!(status["rebalances"], 1, "{status}");
    let began: BTreeMap<i32, u64> =
        serde_json::from_value(status["began"][&from.name].clone()).expect("offsets by partition");
    assert_eq!(host.terminate(), Some(0), "{}", host.log());
    let read = to.read_all();
    check_once(&read, (0..RECORDS).filter(|number| !is_bad(*number)));
    for record in &read {
        let number = number(record);
        let mark = if number / 4 >= began[&((number % 4) as i32)] { "v2" } else { "v1" };
        let value: Value = serde_json::from_str(record.value.as_deref().expect("a value")).expect("JSON");
        assert_eq!(value["mark"], mark, "record {number}, began {began:?}");
    }
}

#[test]
fn a_host_that_slept_while_another_took_over_cannot_commit_what_it_had_open() {
    const RECORDS: u64 = 80_000;
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let mut hosts = [Host::start(), Host::start()];
    let partitions =
        |host: &Host| host.status("sleep")["partitions"][&from.name].as_object().map_or(0, |all| all.len());
    for host in &hosts {
        host.cli(&["push", &guest("log-clean"), "log-clean@1"]).ok();
        host.apply("sleep", &pipeline("sleep", &from, &to, "exactly-once")).ok();
    }
    wait_until("two partitions each", || hosts.iter().all(|host| partitions(host) == 2));
    std::thread::scope(|scope| {
        scope.spawn(|| from.write(0, (0..RECORDS).map(line)));
        wait_until("records", || hosts[0].through("sleep") > 1000);
        hosts[0].signal("STOP");
        wait_until("all partitions at the other", || partitions(&hosts[1]) == 4);
        hosts[0].signal("CONT");
    });
    wait_until("the sleeper back in the group", || hosts.iter().all(|host| partitions(host) == 2));
    wait_until("the end", || hosts.iter().all(|host| host.status("sleep")["lag"] == 0));
    for host in &mut hosts {
        assert_eq!(host.terminate(), Some(0), "{}", host.log());
    }
    check_once(&to.read_all(), (0..RECORDS).filter(|number| !is_bad(*number)));
}

/// Each broker in turn, and so, once, whoever leads a partition or coordinates the group or the transactions.
#[test]
fn brokers_that_are_killed_lose_and_double_nothing() {
    const RECORDS: u64 = 90_000;
    const ROUNDS: u64 = 6;
    let cluster = OwnKafka::cluster();
    let [from, to] = ["in", "out"].map(|name| cluster.topic(&unique(name), 4, 3));
    let dead = cluster.topic(&format!("{}.dead", to.name), 4, 3);
    let mut host = Host::start();
    host.cli(&["push", &guest("log-clean"), "log-clean@1"]).ok();
    let brokers = cluster.brokers.replace(',', "\", \"");
    host.apply("brokers", &pipeline_of(&brokers, "direct", "brokers", &from, &to, "exactly-once")).ok();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &cluster.brokers).set("linger.ms", "5").set("enable.idempotence", "true");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a producer");
    for round in 0..ROUNDS {
        let through = host.through("brokers");
        for number in round * RECORDS / ROUNDS..(round + 1) * RECORDS / ROUNDS {
            let (key, value) = (number.to_string(), line(number));
            let record = BaseRecord::to(&from.name).partition((number % 4) as i32).key(&key).payload(&value);
            producer.send(record).map_err(|(error, _)| error).expect("room");
        }
        wait_until("records", || host.through("brokers") > through);
        let broker = format!("broker{}", round % 3 + 1);
        cluster.kill_one(&broker);
        cluster.restart_one(&broker);
    }
    producer.flush(PATIENCE).expect("written");
    wait_until("the end", || host.through("brokers") >= RECORDS && host.status("brokers")["lag"] == 0);
    assert_eq!(host.terminate(), Some(0), "{}", host.log());
    let good = RECORDS - RECORDS / 1000;
    for (topic, count, is_bad_one) in [(&to, good, false), (&dead, RECORDS / 1000, true)] {
        // What is there twice would come within these, or soon after.
        let mut reads = 0;
        let read = topic.read_of(&cluster.brokers, |read| {
            reads += u64::from(read.len() as u64 >= count);
            reads > 20
        });
        check_once(&read, (0..RECORDS).filter(|number| is_bad(*number) == is_bad_one));
    }
}

#[test]
fn a_record_that_the_broker_refuses_is_a_dead_letter_of_the_next_transaction() {
    const RECORDS: u64 = 2000;
    let (from, to) = (Topic::new("in"), Topic::with("out", &[("max.message.bytes", "20000")]));
    let host = Host::start();
    host.cli(&["push", &guest("log-clean"), "log-clean@1"]).ok();
    // Small batches, so that the broker refuses one record and not its neighbours.
    let yaml = pipeline("refused", &from, &to, "exactly-once");
    let one = format!("topic: {}, properties: {{ batch.size: 1000 }}, client", to.name);
    let yaml = yaml.replace(&format!("topic: {}, client", to.name), &one);
    let dead = format!("topic: {}.dead, properties: {{ batch.size: 1000 }}", to.name);
    let yaml = yaml.replace(&format!("topic: {}.dead", to.name), &dead);
    host.apply("refused", &yaml).ok();
    let is_large = |number: u64| number % 1000 == 500;
    from.write(
        0,
        (0..RECORDS).map(|number| match is_large(number) {
            true => format!(r#"{{"n":{number},"text":"{}"}}"#, "x".repeat(50_000)),
            false => line(number),
        }),
    );
    wait_until("the end", || host.through("refused") >= RECORDS && host.status("refused")["lag"] == 0);
    let dead = Topic { name: format!("{}.dead", to.name), partitions: 4 };
    let letters = dead.read_all();
    check_once(&letters, (0..RECORDS).filter(|number| is_bad(*number) || is_large(*number)));
    for letter in letters.iter().filter(|letter| is_large(number(letter))) {
        let reason = &letter.headers["__connect.errors.exception.message"];
        assert!(reason.contains("sink `out`") && reason.to_lowercase().contains("too large"), "{reason}");
    }
    check_once(&to.read_all(), (0..RECORDS).filter(|number| !is_bad(*number) && !is_large(*number)));
}
