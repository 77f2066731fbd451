//! What happens when a row, a server or the network is bad: the rest goes on, and nothing is lost.

use std::time::Duration;

use e2e::{Host, Index, Keys, Network, Proxy, Topic, guest, services, wait_until};
use serde_json::json;

fn source(from: &Topic, batch: &str) -> String {
    let kafka = &services().kafka;
    format!(
        "source: {{ kafka: {{ brokers: [\"{kafka}\"], topics: [{}], batch: {{ {batch} }} }} }}\n\
         errors: {{ dead_letter: {{ kafka: {{ topic: {}.dead }} }} }}\n",
        from.name, from.name
    )
}

#[test]
fn one_poison_row_in_ten_thousand_is_a_dead_letter_and_the_others_arrive_in_order() {
    const ROWS: u64 = 10_000;
    let (from, to, host) = (Topic::new("in"), Topic::new("out"), Host::start());
    host.cli(&["push", &guest("evil"), "evil@1"]).ok();
    let value = |number: u64| if number == 7777 { "poison".to_owned() } else { format!("good {number}") };
    from.write_in(0, (0..ROWS).map(value));
    let yaml = format!(
        "pipeline: poison\n{}module: {{ ref: evil@1, config: {{ mode: trap, when: poison }} }}\n\
         routes: {{ out: [out] }}\nsinks: {{ out: {{ kafka: {{ topic: {} }} }} }}\n",
        source(&from, "records: 10000, linger: 2s"),
        to.name
    );
    host.apply("poison", &yaml).ok();
    wait_until("the rows", || host.through("poison") == ROWS);

    let dead = Topic { name: format!("{}.dead", from.name), partitions: 4 };
    let letters = dead.read_all();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].value.as_deref(), Some("poison"));
    assert_eq!(letters[0].headers["__connect.errors.offset"], "7777");
    assert!(letters[0].headers["__connect.errors.exception.message"].contains("told to panic at offset 7777"));
    assert!(letters[0].headers["__connect.errors.exception.stacktrace"].contains(" at 0x"), "{letters:?}");

    // The key of all is the same, so they are in one partition and have one order.
    let values: Vec<_> = to.read_all().into_iter().map(|record| record.value.expect("a value")).collect();
    let expected: Vec<_> = (0..ROWS).filter(|number| *number != 7777).map(value).collect();
    assert!(values == expected, "{} of {} rows, or out of order", values.len(), expected.len());
}

#[test]
fn a_server_that_hangs_stalls_its_own_pipeline_and_nothing_else() {
    const HUNG: u64 = 150_000;
    const OTHERS: u64 = 200_000;
    /// What a lane and a sink may hold, and librdkafka's queue: with room for what allocators keep.
    const GROWTH_MAX: u64 = 320 << 20;
    let (slow, quick, to, host) = (Topic::new("slow"), Topic::new("quick"), Topic::new("out"), Host::start());
    let index = Index::new("hang");
    let proxy = Proxy::start(services().elasticsearch.trim_start_matches("http://"));
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    let hung = format!(
        "pipeline: hung\n{}module: {{ ref: identity@1 }}\nroutes: {{ out: [es] }}\n\
         sinks: {{ es: {{ elasticsearch: {{ urls: [\"http://{}\"], index: {}, timeout: 2s }} }} }}\n",
        source(&slow, "records: 1000"),
        proxy.address,
        index.name
    );
    let other = format!(
        "pipeline: other\n{}module: {{ ref: identity@1 }}\nroutes: {{ out: [out] }}\n\
         sinks: {{ out: {{ kafka: {{ topic: {} }} }} }}\n",
        source(&quick, "records: 1000"),
        to.name
    );
    host.apply("hung", &hung).ok();
    host.apply("other", &other).ok();
    let text = "x".repeat(500);
    let line = |number: u64| format!(r#"{{"n":{number},"text":"{text}"}}"#);
    slow.write(0, (0..1000).map(line));
    wait_until("the first documents", || host.through("hung") == 1000);
    let before = host.memory();

    proxy.set(Network::Hangs);
    slow.write(1000, (1000..HUNG).map(line));
    quick.write(0, (0..OTHERS).map(|number| number.to_string()));
    wait_until("the other pipeline", || host.through("other") == OTHERS);
    wait_until("the stall", || host.status("hung")["state"] == "stalled");
    let status = host.status("hung");
    assert!(status["reason"].as_str().is_some_and(|reason| reason.contains("sink `es`")), "{status}");
    let grown = host.memory().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grown by {} MiB", grown >> 20);

    proxy.set(Network::Works);
    wait_until("the documents", || host.through("hung") == HUNG);
    assert_eq!(index.count(), HUNG as usize);
    assert_eq!(to.read_all().len(), OTHERS as usize);
    for pipeline in ["hung", "other"] {
        let status = host.status(pipeline);
        assert_eq!((&status["state"], &status["rebalances"]), (&json!("running"), &json!(1)), "{status}");
    }
}

#[test]
fn connections_that_are_cut_are_made_anew_and_nothing_is_lost() {
    const RECORDS: u64 = 60_000;
    let (from, host) = (Topic::new("in"), Host::start());
    let (index, mut keys) = (Index::new("cut"), Keys::new("cut"));
    let elasticsearch = Proxy::start(services().elasticsearch.trim_start_matches("http://"));
    let redis = Proxy::start(services().redis.trim_start_matches("redis://"));
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    let yaml = format!(
        "pipeline: cut\n{}module: {{ ref: identity@1 }}\nroutes: {{ out: [es, cache] }}\nsinks:\n\
         \x20 es: {{ elasticsearch: {{ urls: [\"http://{}\"], index: {} }} }}\n\
         \x20 cache: {{ redis: {{ url: \"redis://{}\", command: string, key: \"{}:{{key}}\" }} }}\n",
        source(&from, "records: 500"),
        elasticsearch.address,
        index.name,
        redis.address,
        keys.prefix
    );
    host.apply("cut", &yaml).ok();
    std::thread::scope(|scope| {
        scope.spawn(|| from.write(0, (0..RECORDS).map(|number| format!(r#"{{"n":{number}}}"#))));
        for network in [&elasticsearch, &redis, &elasticsearch, &redis] {
            let through = host.through("cut");
            wait_until("records", || host.through("cut") > through || through == RECORDS);
            network.set(Network::Cut);
            // How long a network is away is part of what is tried, not a wait for something.
            std::thread::sleep(Duration::from_millis(300));
            network.set(Network::Works);
        }
    });
    wait_until("the records", || host.through("cut") == RECORDS);
    assert_eq!(index.count(), RECORDS as usize);
    let numbers: Vec<u64> = (0..RECORDS).collect();
    for numbers in numbers.chunks(1000) {
        for (number, text) in numbers.iter().zip(keys.texts(numbers)) {
            assert_eq!(text, Some(format!(r#"{{"n":{number}}}"#)));
        }
    }
}
