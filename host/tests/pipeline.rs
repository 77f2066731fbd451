//! A running pipeline between the topics of a mock cluster: what comes out, what is counted, and what a swap does.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _},
};
use support::{Host, Kafka, host, load_config, start, wait_until};
use wasmill::{
    config,
    grants::Granted,
    pipeline::{Began, Deps, Pipeline, PrepareError, State},
};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

struct Mill {
    host: Host,
    kafka: Kafka,
    spec: config::Pipeline,
    pipeline: Pipeline,
    began: Arc<Mutex<Vec<Began>>>,
    _runtime: tokio::runtime::Runtime,
}

/// Topics `in` and `out` with four partitions, `dead` with one; `module` between them with these settings. The mock
/// cluster misses a consumer that leaves and ends at once (a real one does not): its session is short.
fn mill(module: &str, settings: &str, more: &str) -> Mill {
    mill_of("records: 100, linger: 5ms", "", module, &format!("config: {settings}"), more)
}

/// With more keys of the sink.
fn mill_to(sink: &str, module: &str, settings: &str, more: &str) -> Mill {
    mill_of("records: 100, linger: 5ms", sink, module, &format!("config: {settings}"), more)
}

fn mill_of(batch: &str, sink: &str, module: &str, module_keys: &str, more: &str) -> Mill {
    let host = host();
    let kafka = Kafka::start(&[("in", 4), ("out", 4), ("dead", 1)]);
    let brokers = kafka.mock.brokers();
    let spec = load_config(&format!(
        "pipeline: test\n\
         source: {{ kafka: {{ brokers: [\"{brokers}\"], topics: [in], batch: {{ {batch} }},\n\
         \x20 properties: {{ fetch.wait.max.ms: 10, session.timeout.ms: 1000, heartbeat.interval.ms: 100 }} }} }}\n\
         module: {{ ref: {module}@1, {module_keys} }}\n\
         routes: {{ out: [out], clean: [out], fired: [out] }}\n\
         sinks: {{ out: {{ kafka: {{ brokers: [\"{brokers}\"], topic: out{sink} }} }} }}\n{more}"
    ));
    let began = Arc::new(Mutex::new(Vec::new()));
    let runtime = runtime();
    let release = host.release(1, module, &spec).unwrap_or_else(|error| panic!("{error}"));
    let note = Arc::clone(&began);
    let on_began = Arc::new(move |one| note.lock().expect("a lock").push(one));
    let pipeline = start(spec.clone(), release, &runtime, on_began);
    Mill { host, kafka, spec, pipeline, began, _runtime: runtime }
}

const DEAD: &str = "errors: { dead_letter: { kafka: { topic: dead } } }";

#[test]
fn records_keep_key_value_headers_and_timestamp_and_their_order() {
    let mill = mill("identity", "{}", "");
    mill.kafka.write("in", 4, (0..5000).map(|number| format!("value {number}")));
    let read = mill.kafka.read("out", 4, 5000);
    let mut last: HashMap<String, i64> = HashMap::new();
    let mut seen = vec![false; 5000];
    for record in &read {
        let number: usize = record.headers["n"].parse().expect("a number");
        assert!(!std::mem::replace(&mut seen[number], true), "record {number} came twice");
        assert_eq!(record.key.as_deref(), Some(format!("k{number}").as_str()));
        assert_eq!(record.value.as_deref(), Some(format!("value {number}").as_str()));
        assert_eq!(record.timestamp, 1_700_000_000_000 + number as i64);
        // Records of one partition in are in order wherever they went.
        let lane = format!("{} -> {}", number % 4, record.partition);
        let before = last.insert(lane, number as i64);
        assert!(before.is_none_or(|before| before < number as i64));
    }
    wait_until("the counters", || mill.pipeline.status().records.r#in == 5000);
    let status = mill.pipeline.status();
    assert_eq!((status.records.out, status.records.dropped, status.records.dead_lettered), (5000, 0, 0));
    wait_until("no lag", || mill.pipeline.status().lag == Some(0));
    assert_eq!(mill.pipeline.stop(Duration::from_secs(10)).left, 0);
}

#[test]
fn records_say_where_they_were_read_in_place_of_what_they_said_before() {
    let mill = mill_to(", lineage: true", "fan-out", "{ routes: \"out,clean\" }", "");
    let producer = mill.kafka.producer("none");
    for number in 0..40 {
        let key = number.to_string();
        let mut record = BaseRecord::to("in").partition(number % 4).key(&key).payload("x");
        if number % 2 == 0 {
            let headers = [("n", "1"), ("wasmill-topic", "elsewhere"), ("wasmill-offset", "7"), ("wasmill-nth", "9")];
            let headers = headers
                .iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(*value) }));
            record = record.headers(headers);
        }
        producer.send(record).map_err(|(error, _)| error).expect("sent");
    }
    producer.flush(Duration::from_secs(10)).expect("written");
    let mut read = mill.kafka.read("out", 4, 80);
    read.sort_by_key(|record| (record.key.clone(), record.headers.get("wasmill-nth").cloned()));
    for (at, record) in read.iter().enumerate() {
        let number: i32 = record.key.as_deref().and_then(|key| key.parse().ok()).expect("a number");
        let (partition, offset) = ((number % 4).to_string(), (number / 4).to_string());
        let mut expected =
            BTreeMap::from([("wasmill-topic", "in"), ("wasmill-partition", &partition), ("wasmill-offset", &offset)]);
        if number % 2 == 0 {
            expected.insert("n", "1");
        }
        if at % 2 == 1 {
            expected.insert("wasmill-nth", "1");
        }
        let headers: BTreeMap<&str, &str> =
            record.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, expected, "record {number}");
    }
}

/// Whether a record has headers is looked up where the value ends in the broker's response: with any value, packed or
/// not, and beside records that have some.
#[test]
fn headers_arrive_with_any_value_and_none_come_up() {
    let mill = mill("identity", "{}", "");
    let values: [Option<&str>; 4] = [None, Some(""), Some("x"), Some("\0\0\0\0")];
    let sets: [&[(&str, Option<&str>)]; 5] = [
        &[],
        &[("a", Some("1"))],
        &[("a", None)],
        &[("", Some(""))],
        &[("a", Some("1")), ("b", Some("\0")), ("c", Some("3"))],
    ];
    let mut expected = BTreeMap::new();
    for codec in ["none", "lz4", "zstd"] {
        let producer = mill.kafka.producer(codec);
        for (value, headers) in values.iter().flat_map(|value| sets.map(|headers| (*value, headers))) {
            let key = format!("{codec} {value:?} {headers:?}");
            let mut record = BaseRecord::<str, str>::to("in").key(&key);
            if !headers.is_empty() {
                let owned = headers
                    .iter()
                    .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: *value }));
                record = record.headers(owned);
            }
            record = match value {
                Some(value) => record.payload(value),
                None => record,
            };
            producer.send(record).map_err(|(error, _)| error).expect("sent");
            let text = |value: &Option<&str>| value.unwrap_or_default().to_owned();
            let headers: BTreeMap<_, _> = headers.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect();
            expected.insert(key.clone(), (value.map(str::to_owned), headers));
        }
        producer.flush(Duration::from_secs(10)).expect("written");
    }
    let read = mill.kafka.read("out", 4, expected.len());
    let found: BTreeMap<_, _> =
        read.into_iter().map(|record| (record.key.unwrap_or_default(), (record.value, record.headers))).collect();
    assert_eq!(found, expected);
}

#[test]
fn poison_and_rejects_go_to_the_dead_letters_and_the_rest_goes_on() {
    let mill = mill("evil", "{ mode: trap, when: poison }", DEAD);
    let values = (0..1000).map(|number| if number % 250 == 7 { "poison".into() } else { format!("good {number}") });
    mill.kafka.write("in", 4, values);
    let dead = mill.kafka.read("dead", 1, 4);
    let read = mill.kafka.read("out", 4, 996);
    assert!(read.iter().all(|record| record.value.as_deref().is_some_and(|value| value.starts_with("good"))));
    for letter in dead {
        assert_eq!(letter.value.as_deref(), Some("poison"));
        let number: i64 = letter.headers["n"].parse().expect("a number");
        assert_eq!(letter.headers["__connect.errors.topic"], "in");
        assert_eq!(letter.headers["__connect.errors.partition"], (number % 4).to_string());
        assert_eq!(letter.headers["__connect.errors.offset"], (number / 4).to_string());
        assert!(letter.headers["__connect.errors.exception.message"].contains("told to panic"), "{letter:?}");
        assert!(letter.headers["__connect.errors.exception.stacktrace"].contains(" at 0x"), "{letter:?}");
    }
    wait_until("the counters", || mill.pipeline.status().records.r#in == 1000);
    assert_eq!(mill.pipeline.status().records.dead_lettered, 4);
}

#[test]
fn without_dead_letters_a_reject_stops_the_pipeline_until_a_better_module_comes() {
    let mill = mill("log-clean", "{}", "");
    mill.kafka.write("in", 4, std::iter::once("no json".to_string()));
    wait_until("the failure", || mill.pipeline.status().state == State::Failed);
    let reason = mill.pipeline.status().reason.unwrap_or_default();
    assert!(reason.contains("in[0] offset 0") && reason.contains("dead_letter"), "{reason}");
    let release = mill.host.release(2, "identity", &mill.spec).unwrap_or_else(|error| panic!("{error}"));
    mill.pipeline.swap(release);
    assert_eq!(mill.kafka.read("out", 4, 1)[0].value.as_deref(), Some("no json"));
    wait_until("recovery", || mill.pipeline.status().state == State::Running);
}

#[test]
fn a_batch_is_given_again_while_its_module_asks() {
    let mill = mill("evil", "{ mode: retry }", "errors: { backoff: { from: 5ms, to: 10ms } }");
    mill.kafka.write("in", 4, (0..40).map(|number| number.to_string()));
    assert_eq!(mill.kafka.read("out", 4, 40).len(), 40);
    assert!(mill.pipeline.status().records.retried >= 3);
}

#[test]
fn a_row_may_become_several_records_and_rows_may_be_dropped() {
    let mill = mill("evil", "{ mode: fan-out, when: x }", "");
    mill.kafka.write("in", 4, ["x", "y"].into_iter().map(String::from));
    let copies: Vec<_> =
        mill.kafka.read("out", 4, 4).into_iter().filter_map(|record| record.headers.get("copy").cloned()).collect();
    assert_eq!(copies, ["0", "1", "2"]);
}

/// Ten thousand batches of a module that forgets 4 KiB with each, 40 MiB in all, in 8 MiB.
#[test]
fn a_module_that_leaks_is_replaced_between_batches_and_no_record_is_lost_or_doubled() {
    const BATCHES: usize = 10_000;
    let mill = mill_of("records: 1", "", "leak", "config: { bytes: 4096 }, limits: { memory: 8MiB }", DEAD);
    mill.kafka.write("in", 4, (0..BATCHES).map(|number| number.to_string()));
    let read = mill.kafka.read("out", 4, BATCHES);
    let mut seen = vec![false; BATCHES];
    for record in &read {
        let number: usize = record.headers["n"].parse().expect("a number");
        assert!(!std::mem::replace(&mut seen[number], true), "record {number} came twice");
    }
    wait_until("the counters", || mill.pipeline.status().records.r#in == BATCHES as u64);
    let status = mill.pipeline.status();
    assert_eq!((status.records.out, status.records.dead_lettered), (BATCHES as u64, 0));
    // At three quarters, that is some 1200 batches after its start; at the limit itself it would be some 1700.
    assert!((7..=12).contains(&status.recycled), "{} instances were replaced", status.recycled);
    // What an instance remembers goes with it: it counts its batches, and none has seen them all.
    let most = read.iter().filter_map(|record| record.value.as_ref()?.parse::<usize>().ok()).max();
    assert!(most.is_some_and(|most| most < 1500), "{most:?} batches were seen by one instance");
}

/// More than the quarter that is left above the threshold: the limit is met within a batch, which is then given to a
/// fresh instance and not condemned for what earlier ones left.
#[test]
fn a_row_that_meets_the_limit_for_what_earlier_batches_left_is_no_poison() {
    let mill = mill_of("records: 1", "", "leak", "config: { bytes: 4194304 }, limits: { memory: 8MiB }", DEAD);
    mill.kafka.write("in", 4, (0..40).map(|number| number.to_string()));
    assert_eq!(mill.kafka.read("out", 4, 40).len(), 40);
    wait_until("the counters", || mill.pipeline.status().records.r#in == 40);
    let status = mill.pipeline.status();
    assert_eq!((status.records.out, status.records.dead_lettered), (40, 0));
    assert!(status.recycled >= 30, "{} instances were replaced", status.recycled);
}

#[test]
fn pause_reads_no_more_and_resume_goes_on() {
    let mill = mill("identity", "{}", "");
    mill.kafka.write("in", 4, (0..10).map(|number| number.to_string()));
    mill.kafka.read("out", 4, 10);
    mill.pipeline.pause();
    assert_eq!(mill.pipeline.status().state, State::Paused);
    mill.kafka.write("in", 4, (0..10).map(|number| number.to_string()));
    mill.pipeline.resume();
    mill.kafka.read("out", 4, 20);
    assert_eq!(mill.pipeline.status().state, State::Running);
}

#[test]
fn a_swap_under_load_loses_and_doubles_nothing_and_its_offsets_are_exact() {
    let mut mill = mill("log-clean", "{ mark: v1 }", DEAD);
    let marked = |mark: &str| ("mark".to_string(), mark.to_string());
    mill.spec.module.config = vec![marked("v2")];
    let release = mill.host.release(2, "log-clean", &mill.spec).unwrap_or_else(|error| panic!("{error}"));
    let (kafka, enough) = (&mill.kafka, AtomicBool::new(false));
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let more = |number: u64| !enough.load(Relaxed) || !number.is_multiple_of(1000);
            let values = (0..).take_while(|number| more(*number)).map(|number| format!("{{\"n\":{number}}}"));
            kafka.write("in", 4, values)
        });
        wait_until("records", || mill.pipeline.status().records.r#in > 5000);
        mill.pipeline.swap(release);
        let through = mill.pipeline.status().records.r#in;
        wait_until("records of the second release", || mill.pipeline.status().records.r#in > through + 5000);
        enough.store(true, Relaxed);
        writer.join().expect("a writer")
    });
    let read = mill.kafka.read("out", 4, written);
    let began: BTreeMap<i32, i64> = mill
        .began
        .lock()
        .expect("a lock")
        .iter()
        .filter(|began| began.release == 2)
        .map(|began| (began.partition, began.offset))
        .collect();
    assert_eq!(began.len(), 4, "a begin for every partition");
    let mut seen = vec![false; written];
    let mut marks = [0, 0];
    for record in read {
        let number: usize = record.headers["n"].parse().expect("a number");
        assert!(!std::mem::replace(&mut seen[number], true), "record {number} came twice");
        let (partition, offset) = (number as i32 % 4, number as i64 / 4);
        let second = record.value.as_deref().is_some_and(|value| value.contains("\"mark\":\"v2\""));
        assert_eq!(second, offset >= began[&partition], "{partition}: {offset}, release 2 began at {began:?}");
        marks[usize::from(second)] += 1;
    }
    assert!(marks.iter().all(|count| *count > 0), "{marks:?}");
    assert_eq!(mill.pipeline.status().rebalances, 1, "a swap must not move partitions");
}

#[test]
fn a_swap_without_records_says_where_it_begins_and_lets_go_of_the_release_before() {
    let mill = mill("identity", "{}", "");
    mill.kafka.write("in", 4, (0..8).map(|number| number.to_string()));
    mill.kafka.read("out", 4, 8);
    let before = Arc::downgrade(&mill.pipeline.release());
    mill.pipeline.swap(mill.host.release(2, "identity", &mill.spec).unwrap_or_else(|error| panic!("{error}")));
    wait_until("the release before is let go of", || before.strong_count() == 0);
    let mut began: Vec<_> = mill.began.lock().expect("a lock").iter().map(|one| (one.release, one.offset)).collect();
    began.sort_unstable();
    assert_eq!(began, [[(1, 0); 4], [(2, 2); 4]].concat());
}

#[test]
fn what_is_not_available_is_refused_and_not_ignored() {
    let refused = |more: &str| {
        let spec = load_config(&format!(
            "pipeline: test\n\
             source: {{ kafka: {{ brokers: [\"127.0.0.1:9\"], topics: [in] }} }}\n\
             routes: {{ out: [out] }}\n\
             sinks: {{ out: {{ kafka: {{ topic: out }} }} }}\n{more}"
        ));
        let runtime = runtime();
        let deps = Deps { runtime: runtime.handle().clone(), began: Arc::new(|_| {}), instance: "tests".into() };
        Pipeline::check(&spec, &deps).expect_err(more).to_string()
    };
    let two = "module: { ref: identity@1 }\ndelivery: exactly-once\n\
               errors: { dead_letter: { kafka: { topic: dead, properties: { linger.ms: 7 } } } }\n";
    assert!(refused(two).contains("all share one producer"));
}

fn keyed<'a>(read: &'a [support::Read], key: &'a str) -> impl Iterator<Item = &'a support::Read> {
    read.iter().filter(move |record| record.key.as_deref() == Some(key))
}

#[test]
fn a_timer_fires_between_batches_on_the_instance_that_gets_them() {
    let mill = mill("timed", "{}", "timer: { every: 100ms }\n");
    mill.kafka.write("in", 4, (0..50).map(|number| format!("value {number}")));
    wait_until("the records", || mill.pipeline.status().records.r#in == 50);
    let fires = mill.pipeline.status().fires;
    wait_until("fires behind them", || mill.pipeline.status().fires > fires + 2);
    let status = mill.pipeline.status();
    assert_eq!(mill.pipeline.stop(Duration::from_secs(10)).left, 0);
    assert_eq!((status.records.r#in, status.records.dropped), (50, 0), "the row of a fire counts nowhere");
    let read = mill.kafka.read("out", 4, 50 + status.fires as usize);
    let fired: Vec<Vec<i64>> = keyed(&read, "fire")
        .map(|record| {
            let value = record.value.as_deref().expect("a value");
            let numbers: Vec<i64> = value.split(' ').map(|word| word.parse().expect("a number")).collect();
            assert_eq!((numbers[0], numbers[1]), (record.timestamp, 0), "{record:?}");
            assert!(record.headers.is_empty() && numbers[0] % 100 == 0, "{record:?}");
            numbers
        })
        .collect();
    assert!(fired.windows(2).all(|pair| pair[0][0] < pair[1][0]), "each planned time once, in order: {fired:?}");
    assert_eq!(fired.last().expect("a fire")[2], 50, "what the batches left in the instance is at hand");
}

#[test]
fn a_fire_that_fails_is_a_dead_letter_and_the_records_go_on() {
    for (mode, words) in [("trap", "told to panic in a fire"), ("reject", "told to reject")] {
        let mill = mill("timed", &format!("{{ fire: {mode} }}"), &format!("timer: {{ every: 100ms }}\n{DEAD}"));
        mill.kafka.write("in", 4, (0..20).map(|number| format!("value {number}")));
        let letter = mill.kafka.read("dead", 1, 2).remove(1);
        assert_eq!(letter.headers["__connect.errors.topic"], "wasmill.timer.test");
        assert_eq!(letter.headers["__connect.errors.offset"], letter.timestamp.to_string());
        assert!(letter.headers["__connect.errors.exception.message"].contains(words), "{letter:?}");
        assert_eq!(letter.value, None);
        assert_eq!(mill.kafka.read("out", 4, 20).len(), 20);
    }
}

#[test]
fn a_fire_is_tried_again_and_stops_the_pipeline_as_a_batch_does() {
    let errors = "errors: { retries: 3, backoff: { from: 1ms, to: 1ms } }\n";
    let retried = mill("timed", "{ fire: retry }", &format!("timer: {{ every: 100ms }}\n{errors}"));
    let fired = retried.kafka.read("out", 4, 1).remove(0);
    assert!(fired.value.as_deref().is_some_and(|value| value.ends_with(" 2 0")), "the third try: {fired:?}");
    let reason = |mill: &Mill| {
        wait_until("the failure", || mill.pipeline.status().state == State::Failed);
        mill.pipeline.status().reason.expect("a reason")
    };
    let always = mill("timed", "{ fire: retry-always }", &format!("timer: {{ every: 100ms }}\n{errors}"));
    assert!(reason(&always).contains("more than 3 retries of the fire of 20"), "{}", reason(&always));
    let fatal = mill("timed", "{ fire: fatal }", "timer: { every: 100ms }\n");
    assert!(reason(&fatal).contains("told to stop"));
    let poison = mill("timed", "{ fire: trap }", "timer: { every: 100ms }\n");
    assert!(reason(&poison).contains("the fire of the timer that was planned for 20"), "{}", reason(&poison));
}

#[test]
fn a_timer_needs_a_module_that_has_one() {
    let host = host();
    let spec = load_config(
        "pipeline: test\nsource: { kafka: { brokers: [k:1], topics: [in] } }\nmodule: { ref: identity@1 }\n\
         routes: { out: [out] }\nsinks: { out: { stdout: {} } }\ntimer: { every: 1m }\n",
    );
    let refused = host.release(1, "identity", &spec).map(drop).expect_err("refused");
    assert_eq!(refused.code(), "no-timer");
    assert!(refused.to_string().contains("`wasmill:transform/timer@0.1.0`"), "{refused}");
}

#[test]
fn controls_are_taken_up_by_running_lanes_and_a_failed_one_tries_again() {
    let mut mill = mill("evil", "{ mode: retry-always }", "errors: { backoff: { from: 1ms, to: 1ms } }\n");
    mill.kafka.write("in", 4, ["one".to_owned()].into_iter());
    wait_until("retries", || mill.pipeline.status().records.retried > 20);
    for retries in [10, 30] {
        mill.spec.errors.retries = retries;
        mill.pipeline.control(&mill.spec);
        let words = format!("more than {retries} retries");
        wait_until(&words, || mill.pipeline.status().reason.is_some_and(|reason| reason.contains(&words)));
    }
    assert_eq!(mill.pipeline.status().release, 1);
}

#[test]
fn lanes_rest_when_asked_and_go_on_with_their_counts() {
    let mill = mill("identity", "{}", "");
    mill.kafka.write("in", 4, (0..100).map(|number| format!("value {number}")));
    wait_until("the records", || mill.pipeline.status().records.r#in == 100);
    let resting = mill.pipeline.steer().rest(Duration::from_secs(10)).expect("at rest");
    assert_eq!((resting.left, mill.pipeline.status().state), (0, State::Paused));
    assert!(mill.pipeline.status().partitions.is_empty(), "it has left the group");
    drop(resting);
    mill.kafka.write("in", 4, (0..100).map(|number| format!("value {number}")));
    wait_until("more records", || mill.pipeline.status().records.r#in == 200);
    assert_eq!(mill.pipeline.status().state, State::Running);
    assert_eq!(mill.kafka.read("out", 4, 200).len(), 200);
}

#[test]
fn what_the_file_does_not_grant_or_cannot_have_is_said_before_anything_starts() {
    let (host, runtime) = (host(), runtime());
    let refused = |module: &str, grants: &str| {
        let spec = load_config(&format!(
            "pipeline: test\n\
             source: {{ kafka: {{ brokers: [\"127.0.0.1:9\"], topics: [in] }} }}\n\
             module: {{ ref: m@1, grants: {grants} }}\n\
             routes: {{ out: [out] }}\n\
             sinks: {{ out: {{ kafka: {{ topic: out }} }} }}\n"
        ));
        let granted = Granted::open(&spec.module.grants, runtime.handle(), None).map_err(PrepareError::from);
        let release = granted.and_then(|granted| host.release_with(1, module, &spec, granted));
        release.map(drop).expect_err(grants)
    };
    let http = refused("identity", "{ http: [\"https://api.example.com\"] }");
    assert_eq!(http.code(), "grant-not-available");
    assert!(http.to_string().contains("`module.grants.http` is not available"), "{http}");
    let missing = refused("keyvalue", "{}");
    assert_eq!(missing.code(), "not-granted");
    let said = missing.to_string();
    assert!(said.contains("imports `wasi:keyvalue/") && said.contains("add `grants: { keyvalue:"), "{said}");
}
