//! From one cluster to another by a double write, as docs/migration.md tells it.

use std::{
    fs,
    time::{Duration, Instant},
};

use e2e::{
    Example, Host, OwnKafka, PATIENCE, SASL_USER, Topic, guest, other_kafka, root, services, unique, wait_until,
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
    producer::{BaseRecord, Producer},
};
use serde_json::json;

use crate::verify::{PARTITIONS, counts, producer, side, verify, write};

/// A record that a copy can leave out or change.
struct Copied {
    number: u64,
    value: Option<String>,
    /// Partition and offset at its source, by its headers.
    origin: [i64; 2],
}

/// Copies a topic within a cluster as it is, but for what `change` does to it; answers the records written.
fn copy(brokers: &str, from: &str, to: &str, mut change: impl FnMut(&mut Copied) -> bool) -> u64 {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "tests").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    (0..PARTITIONS).for_each(|partition| {
        list.add_partition_offset(from, partition, Offset::Beginning).expect("a partition");
    });
    consumer.assign(&list).expect("assigned");
    let producer = producer(brokers);
    let (mut ended, mut number, mut written) = (0, 0, 0);
    let mut heard = Instant::now();
    while ended < PARTITIONS {
        // It may answer nothing although there is more.
        let Some(polled) = consumer.poll(Duration::from_millis(100)) else {
            assert!(heard.elapsed() < PATIENCE, "nothing more after {number} records");
            continue;
        };
        heard = Instant::now();
        let message = match polled {
            Ok(message) => message,
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => {
                ended += 1;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = message.headers().expect("headers");
        let origin = ["wasmill-partition", "wasmill-offset"].map(|name| {
            let value = headers.iter().find(|header| header.key == name).and_then(|header| header.value);
            text(value.expect("lineage")).parse().expect("a number")
        });
        let mut copied = Copied { number, value: message.payload().map(text), origin };
        number += 1;
        if !change(&mut copied) {
            continue;
        }
        let mut record = BaseRecord::to(to)
            .partition(message.partition())
            .timestamp(message.timestamp().to_millis().expect("a time"))
            .headers(message.headers().expect("headers").detach());
        if let Some(key) = message.key() {
            record = record.key(key);
        }
        if let Some(value) = &copied.value {
            record = record.payload(value.as_bytes());
        }
        while let Err((_, back)) = producer.send(record) {
            record = back;
            producer.poll(Duration::from_millis(5));
        }
        written += 1;
    }
    producer.flush(PATIENCE).expect("written");
    written
}

fn delivered(host: &Host, example: &Example, sink: &str) -> u64 {
    host.status(&example.name)["sinks"][sink]["delivered"].as_u64().unwrap_or(0)
}

fn double_write(intake: &Topic, new: &str) -> Example {
    Example::new("double-write")
        .set("INTAKE", &services().kafka)
        .set("OLD", &services().kafka)
        .set("NEW", new)
        .set("TOPICS", &intake.name)
}

/// An intake in the shared cluster, and the name of the topic that it is of.
fn intake() -> (Topic, String) {
    let name = unique("orders");
    (Topic::named(&format!("{name}.in")), name)
}

#[test]
fn a_cluster_that_was_away_catches_up_and_one_changed_record_is_found() {
    const RECORDS: u64 = 500_000;
    const MEMORY_MAX: u64 = 128 << 20;
    let new = OwnKafka::start();
    let (intake, name) = intake();
    let example = double_write(&intake, &new.brokers);
    let host = example.run();
    let line = |number: u64| {
        (format!("{}", number % 10_007), Some(format!("order {number} of many, {:064x}", number * number)))
    };
    const FIRST: u64 = RECORDS / 5;
    intake.write_keyed(0, (0..FIRST).map(line));
    wait_until("a first part", || delivered(&host, &example, "new") >= FIRST);
    new.kill();
    std::thread::scope(|scope| {
        let written = scope.spawn(|| intake.write_keyed(FIRST, (FIRST..RECORDS).map(line)));
        wait_until("more in the old cluster alone", || delivered(&host, &example, "old") >= FIRST + 20_000);
        let (here, there) = (delivered(&host, &example, "old"), delivered(&host, &example, "new"));
        assert!(here >= there + 20_000, "{here} here, {there} there");
        new.restart();
        assert_eq!(written.join().expect("a writer"), RECORDS - FIRST);
    });
    wait_until("the records", || host.through(&example.name) >= RECORDS);
    assert_eq!(host.status(&example.name)["records"]["dead_lettered"], 0);

    let (from, to) = (side(&services().kafka, &name), side(&new.brokers, &name));
    let (answer, most) = verify(&from, &to, &["--same-partitions", "--memory", "8"]);
    let report = answer.ok();
    assert_eq!((&report["equal"], counts(&report)), (&json!(true), [RECORDS, 0, 0, 0, 0]), "{report}");
    // A million digests are 46 MiB: most of them were on the disk.
    assert!(most <= MEMORY_MAX, "{} MiB", most >> 20);
    let report = verify(&from, &to, &["--by", "key"]).0.ok();
    assert_eq!(counts(&report), [RECORDS, 0, 0, 0, 0], "{report}");

    let (tampered, mut origin) = (unique("tampered"), None);
    let copied = copy(&new.brokers, &name, &tampered, |record| {
        if record.number == RECORDS / 3 {
            record.value = record.value.take().map(|value| value.replace("order", "0rder"));
            origin = Some(record.origin);
        }
        true
    });
    assert!(copied >= RECORDS);
    for by in ["lineage", "key"] {
        let (answer, _) = verify(&from, &side(&new.brokers, &tampered), &["--by", by]);
        assert_eq!((answer.code, counts(&answer.json)), (1, [RECORDS - 1, 0, 0, 1, 0]), "{answer:?}");
        let [difference] = answer.json["differences"].as_array().expect("a list").as_slice() else {
            panic!("{answer:?}")
        };
        assert_eq!((&difference["kind"], &difference["what"]), (&json!("different"), &json!(["value"])));
        assert_eq!(difference["from"]["partition"], difference["to"]["partition"], "{difference}");
        if by == "lineage" {
            let [partition, offset] = origin.expect("a record was changed");
            let expected = json!({ "topic": intake.name, "partition": partition, "offset": offset });
            assert_eq!(difference["came_from"], expected, "{difference}");
        }
    }

    let short = unique("short");
    let mut gone = None;
    copy(&new.brokers, &name, &short, |record| {
        if record.number == RECORDS / 2 {
            gone = Some(record.origin);
        }
        Some(record.origin) != gone
    });
    let (answer, _) = verify(&from, &side(&new.brokers, &short), &[]);
    assert_eq!((answer.code, counts(&answer.json)), (1, [RECORDS - 1, 1, 0, 0, 0]), "{answer:?}");

    let more = producer(&new.brokers);
    more.send(BaseRecord::to(&name).partition(1).key("stray").payload("nobody's"))
        .map_err(|(error, _)| error)
        .expect("room");
    more.flush(PATIENCE).expect("written");
    let (answer, _) = verify(&from, &to, &[]);
    assert_eq!((answer.code, counts(&answer.json)), (1, [RECORDS, 0, 1, 0, 0]), "{answer:?}");
    assert_eq!(answer.json["differences"][0]["to"]["partition"], 1, "{answer:?}");
}

/// The page's way, command by command, but for the building of modules.
#[test]
fn the_way_of_the_page_is_walked_to_its_end() {
    const PART: u64 = 3_000;
    let (name, old, new) = (unique("orders"), services().kafka.as_str(), other_kafka());
    let orders = Topic::named(&name);
    Topic::named_in(new, &name);
    write(&name, old, 0..PART);
    let dump = Example::new("topic-dump")
        .replace("${TOPICS:-^orders}", &format!("^{name}$"))
        .set("FROM", old)
        .set("TO", new)
        .set("LINEAGE", "true")
        .set("INTAKE", old)
        .set("OLD", old)
        .set("NEW", new);
    let folder = dump.file.parent().expect("a folder").to_path_buf();
    fs::copy(guest("double-write"), folder.join("double-write.wasm")).expect("the module");
    // A pipeline file of the example, with a name and an intake of this test's own.
    let put = |file: &str, intake: &str| -> (String, String) {
        let text = fs::read_to_string(root().join("guest-examples/double-write").join(file)).expect("a file");
        let (first, rest) = text.split_once('\n').expect("lines");
        let named = unique(first.trim_start_matches("pipeline: "));
        let rest = rest
            .replace("${TOPICS:-orders.in}", &format!("{name}{intake}"))
            .replace(":-.in}", &format!(":-{intake}}}"));
        let path = folder.join(format!("{named}.yaml"));
        fs::write(&path, format!("pipeline: {named}\n{rest}")).expect("written");
        (named, path.display().to_string())
    };
    let edit = |file: &str, from: &str, to: &str| {
        let text = fs::read_to_string(file).expect("a file");
        assert!(text.contains(from), "{from} does not stand in {text}");
        fs::write(file, text.replace(from, to)).expect("written");
    };
    let (from, to) = (side(old, &name), side(new, &name));
    let same = |more: &[&str]| {
        let (answer, _) = verify(&from, &to, &[&["--same-partitions"], more].concat());
        assert_eq!(answer.code, 0, "{answer:?}");
        counts(&answer.json)[0]
    };

    // 1, 2: a copy, compared while it runs and when it is there.
    let host = dump.run();
    wait_until("the first copies", || delivered(&host, &dump, "copy") > 0);
    same(&["--overlap"]);
    wait_until("the copy", || host.through(&dump.name) == PART);
    assert_eq!(same(&["--overlap"]), PART);

    // 3: records wait in the intake; and the way back, without a loss.
    let intake = Topic::named(&format!("{name}.in"));
    let (waiting, file) = put("pipeline.yaml", ".in");
    host.cli(&["apply", &file]).ok();
    assert_eq!(host.cli(&["pause", &waiting]).ok()["state"], "paused");
    write(&intake.name, old, PART..2 * PART);
    assert_eq!(host.through(&waiting), 0);
    host.cli(&["delete", &waiting]).ok();
    let (back, file) = put("old.yaml", ".in");
    edit(&file, "lineage: true", "lineage: false");
    host.cli(&["apply", &file]).ok();
    wait_until("the way back", || host.through(&back) == PART);
    host.cli(&["delete", &back]).ok();

    // 3, 4: the same with another intake, and on.
    let intake = Topic::named(&format!("{name}.in2"));
    let (both, file) = put("pipeline.yaml", ".in2");
    host.cli(&["apply", &file]).ok();
    host.cli(&["pause", &both]).ok();
    write(&intake.name, old, 2 * PART..3 * PART);
    wait_until("the end of the copy", || host.through(&dump.name) == 2 * PART);
    assert_eq!(same(&[]), 2 * PART);
    host.cli(&["delete", &dump.name]).ok();
    host.cli(&["resume", &both]).ok();
    wait_until("what has waited", || host.through(&both) == PART);

    // 5: both clusters get everything.
    write(&intake.name, old, 3 * PART..4 * PART);
    same(&["--overlap"]);
    wait_until("the double write", || host.through(&both) == 2 * PART);
    assert_eq!(same(&[]), 4 * PART);

    // 6: the new one alone.
    edit(&file, "both: [old, new]", "both: [new]");
    host.cli(&["apply", &file]).ok();
    write(&intake.name, old, 4 * PART..5 * PART);
    wait_until("the lag to go", || host.status(&both)["lag"] == 0);
    // 7: without the intake.
    host.cli(&["delete", &both]).ok();
    write(&name, new, 5 * PART..6 * PART);

    let there = orders.read_of(new, |read| read.len() >= 6 * PART as usize);
    for partition in 0..PARTITIONS {
        let values =
            there.iter().filter(|record| record.partition == partition).filter_map(|record| record.value.clone());
        let expected =
            (0..6 * PART).filter(|number| number % 4 == partition as u64).map(|number| format!("order {number}"));
        assert!(values.eq(expected), "partition {partition}");
    }
    let (answer, _) = verify(&from, &to, &[]);
    let extra = 2 * PART;
    assert_eq!((answer.code, counts(&answer.json)), (1, [4 * PART, 0, extra, 0, 0]), "what the old one has not");
}

#[test]
fn a_pipeline_for_each_cluster_waits_for_no_other() {
    const RECORDS: u64 = 150_000;
    let new = OwnKafka::start();
    let (intake, name) = intake();
    let of = |file: &str| {
        let text = fs::read_to_string(root().join("guest-examples/double-write").join(file)).expect("a file");
        let both = double_write(&intake, &new.brokers);
        let named = unique(file.trim_end_matches(".yaml"));
        let text = text.replace(
            &format!("pipeline: double-write-{}", file.trim_end_matches(".yaml")),
            &format!("pipeline: {named}"),
        );
        fs::write(&both.file, text).expect("written");
        (both, named)
    };
    let ((old_file, old), (new_file, other)) = (of("old.yaml"), of("new.yaml"));
    let host = Host::run(&[old_file.file.clone(), new_file.file.clone()], new_file.variables());
    intake.write(0, (0..1000).map(|number| number.to_string()));
    wait_until("the first", || host.through(&old) == 1000 && host.through(&other) == 1000);
    new.kill();
    intake.write(1000, (1000..RECORDS).map(|number| number.to_string()));
    wait_until("all in the old cluster", || host.through(&old) == RECORDS);
    assert!(host.through(&other) < RECORDS);
    new.restart();
    wait_until("all in the new one", || host.through(&other) == RECORDS);
    let answer = verify(&side(&services().kafka, &name), &side(&new.brokers, &name), &["--same-partitions"]).0;
    assert_eq!(counts(&answer.ok()), [RECORDS, 0, 0, 0, 0]);
}

/// The line of a log that says why.
#[track_caller]
fn one_line(said: &str, words: &[&str]) {
    let lines = said.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!(lines, 1, "{words:?} in: {said}");
}

#[test]
fn wrong_clusters_are_said_in_a_line_before_anything_is_consumed() {
    let (intake, _) = intake();
    intake.write(0, (0..100).map(|number| number.to_string()));
    let secured = OwnKafka::start();
    let login = |password: &str| {
        format!(
            "properties: {{ security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, sasl.username: {}, \
             sasl.password: {password} }}",
            SASL_USER.0
        )
    };
    let with_login = |password: &str| {
        let sink = "brokers: [\"${NEW:-127.0.0.1:9093}\"]\n";
        let example = double_write(&intake, &secured.sasl);
        example.replace(sink, &format!("{sink}      {}\n", login(password)))
    };
    let nothing_read = |host: &Host, example: &Example| {
        let status = host.status(&example.name);
        assert_eq!((&status["partitions"], &status["records"]["in"]), (&json!({}), &json!(0)), "{status}");
    };

    // Of a sink: nobody there, a host that does not exist, a wrong password.
    for (brokers, words) in [("127.0.0.1:9", "refused"), ("nobody.invalid:9092", "nobody.invalid:9092")] {
        let nobody = double_write(&intake, brokers);
        let host = nobody.run();
        wait_until("the state", || host.status(&nobody.name)["state"] == "stalled");
        let reason = host.status(&nobody.name)["reason"].as_str().expect("a reason").to_owned();
        assert!(reason.starts_with("sink `new`: ") && reason.contains(words), "{reason}");
        one_line(&host.log(), &["WARN", "nothing is read before every server answers", words]);
        nothing_read(&host, &nobody);
    }
    let wrong = with_login("wrong");
    let host = wrong.run();
    wait_until("the refusal", || host.status(&wrong.name)["state"] == "failed");
    let reason = host.status(&wrong.name)["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("sink `new`: ") && reason.contains("Invalid username or password"), "{reason}");
    one_line(&host.log(), &["ERROR", "pipeline failed", "Invalid username or password"]);
    nothing_read(&host, &wrong);
    let right = with_login(SASL_USER.1);
    let host = right.run();
    wait_until("the records", || host.through(&right.name) == 100);

    // Of the source: the same.
    let nobody = double_write(&intake, &secured.brokers).replace("${INTAKE:-127.0.0.1:9092}", "127.0.0.1:9");
    let host = nobody.run();
    // "All brokers are down" may come first.
    wait_until("the reason", || {
        let reason = host.status(&nobody.name)["reason"].as_str().unwrap_or_default().to_owned();
        reason.starts_with("source: ") && reason.contains("refused")
    });
    assert_eq!(host.status(&nobody.name)["state"], "stalled");
    let login = login("wrong");
    let wrong = double_write(&intake, &secured.brokers)
        .replace("brokers: [\"${INTAKE:-127.0.0.1:9092}\"]", &format!("{login}, brokers: [\"{}\"]", secured.sasl));
    let host = wrong.run();
    wait_until("the refusal", || host.status(&wrong.name)["state"] == "failed");
    let reason = host.status(&wrong.name)["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("source: ") && reason.contains("Invalid username or password"), "{reason}");
    nothing_read(&host, &wrong);

    // A topic that is no intake stops the pipeline.
    let plain = Topic::new("orders");
    plain.write(0, ["x".to_owned()].into_iter());
    let stray = double_write(&plain, &secured.brokers);
    let host = stray.run();
    wait_until("the refusal", || host.status(&stray.name)["state"] == "failed");
    let reason = host.status(&stray.name)["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("is no intake"), "{reason}");
}
