//! Records arrive, complete and once, over a swap; and at least once over a kill.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use e2e::{Host, Read, Topic, guest, services, timestamp, wait_until};
use serde_json::{Value, json};

fn pipeline(name: &str, from: &Topic, to: &Topic, config: &str) -> String {
    let kafka = &services().kafka;
    format!(
        "pipeline: {name}\n\
         source: {{ kafka: {{ brokers: [\"{kafka}\"], topics: [{}],\n\
         \x20 properties: {{ session.timeout.ms: 6000 }} }} }}\n\
         module: {{ ref: log-clean@1, config: {{ {config} }} }}\n\
         routes: {{ clean: [out] }}\n\
         sinks: {{ out: {{ kafka: {{ topic: {} }} }} }}\n\
         errors: {{ dead_letter: {{ kafka: {{ topic: {}.dead }} }} }}\n",
        from.name, to.name, to.name
    )
}

fn line(number: u64) -> String {
    format!(
        r#"{{"n":{number},"name":"user{number}","password":"x","nested":{{"a":[1,null,"ü"]}},"text":"line {number}"}}"#
    )
}

/// What log-clean makes of it.
fn cleaned(number: u64, mark: &str) -> Value {
    json!({ "n": number, "nested": { "a": [1, null, "ü"] }, "text": format!("line {number}"), "env": "prod", "mark": mark })
}

fn number(record: &Read) -> u64 {
    record.key.as_deref().expect("a key").parse().expect("a number")
}

const CONFIG: &str = r#"ignore: "name,password", set: env=prod, mark: v1"#;

#[test]
fn two_hundred_thousand_records_and_a_swap_in_mid_stream() {
    const RECORDS: u64 = 200_000;
    let (from, to, host) = (Topic::new("in"), Topic::new("out"), Host::start());
    host.cli(&["push", &guest("log-clean"), "log-clean@1"]).ok();
    host.apply("swap", &pipeline("swap", &from, &to, CONFIG)).ok();

    let swapped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            from.write(0, (0..RECORDS / 2).map(line));
            // The second half flows while the swap takes place, and after it.
            wait_until("the swap", || swapped.load(Relaxed));
            from.write(RECORDS / 2, (RECORDS / 2..RECORDS).map(line));
        });
        wait_until("records", || host.through("swap") > RECORDS / 10);
        let config = ["ignore=name,password", "set=env=prod", "mark=v2"];
        let mut deploy = vec!["deploy", "swap"];
        config.iter().for_each(|setting| deploy.extend(["--config", setting]));
        let status = host.cli(&deploy).ok();
        assert_eq!(status["release"], 2);
        swapped.store(true, Relaxed);
    });
    let read = to.read(RECORDS as usize);
    wait_until("the counters", || host.through("swap") == RECORDS);

    let releases = host.cli(&["releases", "swap"]).ok();
    assert_eq!((&releases[0]["release"], &releases[0]["state"]), (&json!(2), &json!("live")));
    let began: BTreeMap<i32, u64> =
        serde_json::from_value(releases[0]["began"][&from.name].clone()).expect("offsets by partition");
    assert_eq!(began.len(), 4, "{releases}");
    let mut seen = vec![false; RECORDS as usize];
    for record in &read {
        let number = number(record);
        assert!(!std::mem::replace(&mut seen[number as usize], true), "record {number} came twice");
        assert_eq!(record.timestamp, timestamp(number));
        let mark = if number / 4 >= began[&((number % 4) as i32)] { "v2" } else { "v1" };
        let value: Value = serde_json::from_str(record.value.as_deref().expect("a value")).expect("JSON");
        assert_eq!(value, cleaned(number, mark), "record {number}, began {began:?}");
    }
    let status = host.status("swap");
    assert_eq!(status["began"], releases[0]["began"]);
    assert_eq!(status["rebalances"], 1, "a swap must not move partitions: {status}");
    assert_eq!(
        status["records"],
        json!({ "in": RECORDS, "out": RECORDS, "dropped": 0, "dead_lettered": 0, "retried": 0 })
    );
}

#[test]
fn a_kill_in_mid_stream_loses_nothing_and_the_live_release_is_the_one_that_was() {
    const RECORDS: u64 = 100_000;
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let mut host = Host::start();
    host.cli(&["push", &guest("log-clean"), "log-clean@1"]).ok();
    host.apply("kill", &pipeline("kill", &from, &to, CONFIG)).ok();
    host.cli(&["deploy", "kill", "--config", "mark=v2"]).ok();
    const SHARE: u64 = RECORDS / 4;
    let killed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let part = |part: u64| {
                wait_until("a kill", || killed.load(Relaxed) >= part);
                from.write(part * SHARE, (part * SHARE..(part + 1) * SHARE).map(line))
            };
            (0..4).map(part).sum::<u64>()
        });
        for _ in 0..3 {
            wait_until("records", || host.through("kill") > RECORDS / 50);
            host.kill_and_restart();
            killed.fetch_add(1, Relaxed);
            let status = host.status("kill");
            assert_eq!((&status["release"], &status["module"]["version"]), (&json!(2), &json!("1")));
        }
        assert_eq!(writer.join().expect("a writer"), RECORDS);
    });
    let mut seen = vec![false; RECORDS as usize];
    let (mut checked, mut missing) = (0, RECORDS);
    let read = to.read_until(|read| {
        for record in &read[checked..] {
            let before = std::mem::replace(&mut seen[number(record) as usize], true);
            missing -= u64::from(!before);
        }
        checked = read.len();
        missing == 0
    });
    assert!(read.iter().all(|record| record.value.as_deref().is_some_and(|value| value.contains(r#""mark":"v2""#))));
}

#[test]
fn a_host_that_is_told_to_stop_delivers_and_commits_what_it_has() {
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let mut host = Host::start();
    host.cli(&["push", &guest("log-clean"), "log-clean@1"]).ok();
    host.apply("stop", &pipeline("stop", &from, &to, CONFIG)).ok();
    from.write(0, (0..20_000).map(line));
    wait_until("records", || host.through("stop") > 1000);
    assert_eq!(host.terminate(), Some(0), "{}", host.log());
    host.kill_and_restart();
    let read = to.read(20_000);
    let mut numbers: Vec<u64> = read.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20_000).collect::<Vec<_>>(), "a clean stop repeats nothing");
}
