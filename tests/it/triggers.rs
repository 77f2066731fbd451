//! The controls of the trigger, changed on pipelines that run.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use e2e::{Host, Read, Topic, guest, services, wait_until};
use serde_json::{Value, json};

/// A pipeline from one topic to another.
pub(crate) struct Shape<'a> {
    pub(crate) name: &'a str,
    /// `ref`, and what follows it.
    pub(crate) module: &'a str,
    pub(crate) lanes: u32,
    pub(crate) delivery: &'a str,
    pub(crate) more: &'a str,
}

pub(crate) const PLAIN: Shape<'static> =
    Shape { name: "p", module: "log-clean@1, config: { mark: v1 }", lanes: 1, delivery: "at-least-once", more: "" };

impl Shape<'_> {
    pub(crate) fn yaml(&self, from: &Topic, to: &Topic) -> String {
        let Shape { name, module, lanes, delivery, more } = self;
        let kafka = &services().kafka;
        format!(
            "pipeline: {name}\n\
             source: {{ kafka: {{ brokers: [\"{kafka}\"], topics: [{}], group: {}, lanes: {lanes},\n\
             \x20 batch: {{ records: 500 }}, properties: {{ session.timeout.ms: 6000 }} }} }}\n\
             module: {{ ref: {module} }}\n\
             routes: {{ clean: [out], out: [out], fired: [out] }}\n\
             sinks: {{ out: {{ kafka: {{ topic: {} }} }} }}\n\
             delivery: {delivery}\n{more}\n",
            from.name,
            group(from),
            to.name
        )
    }
}

pub(crate) fn group(from: &Topic) -> String {
    format!("group-of-{}", from.name)
}

pub(crate) fn start(shape: &Shape<'_>, from: &Topic, to: &Topic) -> Host {
    let host = Host::start();
    for module in ["log-clean", "timed"] {
        host.cli(&["push", &guest(module), &format!("{module}@1")]).ok();
    }
    host.apply(shape.name, &shape.yaml(from, to)).ok();
    host
}

pub(crate) fn line(number: u64) -> String {
    format!(r#"{{"n":{number}}}"#)
}

/// How often each number came, by its mark.
fn times(read: &[Read]) -> BTreeMap<(u64, String), u32> {
    let mut times = BTreeMap::new();
    for record in read {
        let number = record.key.as_deref().expect("a key").parse().expect("a number");
        let value: Value = serde_json::from_str(record.value.as_deref().expect("a value")).expect("JSON");
        assert_eq!(value["n"], json!(number));
        *times.entry((number, value["mark"].as_str().expect("a mark").to_owned())).or_default() += 1;
    }
    times
}

#[track_caller]
pub(crate) fn check(read: &[Read], expected: impl Iterator<Item = (u64, &'static str, u32)>) {
    let expected: BTreeMap<_, _> =
        expected.filter(|one| one.2 > 0).map(|(number, mark, times)| ((number, mark.to_owned()), times)).collect();
    let found = times(read);
    let wrong = |(one, times): (&(u64, String), &u32)| expected.get(one) != Some(times);
    let more: Vec<_> = found.iter().filter(|one| wrong(*one)).take(5).collect();
    let missing: Vec<_> = expected.keys().filter(|one| !found.contains_key(*one)).take(5).collect();
    assert!(more.is_empty() && missing.is_empty(), "came otherwise: {more:?}, did not come: {missing:?}");
}

/// Lets a writer end, also where the test fails before.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn controls_change_under_load_with_nothing_lost_and_no_rebalance() {
    /// Records that may wait to be read, so that there are always some.
    const AHEAD: u64 = 5_000;
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let host = start(&PLAIN, &from, &to);
    let set = |change: &[&str]| host.cli(&[&["set", "p"], change].concat()).ok();
    let done = AtomicBool::new(false);
    let go_on = |number: &u64| {
        if number.is_multiple_of(1_000) {
            wait_until("room", || host.through("p") + AHEAD > *number || done.load(Relaxed));
        }
        !done.load(Relaxed)
    };
    let records = std::thread::scope(|scope| {
        let written = scope.spawn(|| from.write(0, (0..).take_while(go_on).map(line)));
        let _end = AtTheEnd(&done);
        let mut through = 0;
        let changes: [(&[&str], &str, Value); 8] = [
            (&["batch.records=1"], "/batch/records", json!(1)),
            (&["batch.records=10000", "linger=200ms"], "/batch/linger", json!("200ms")),
            (&["batch.bytes=1KiB"], "/batch/bytes", json!(1024)),
            (&["batch.bytes=", "linger=0ms"], "/batch/bytes", json!(1 << 20)),
            (&["retries=7"], "/retries", json!(7)),
            (&["backoff.from=5ms", "backoff.to=10s"], "/backoff/to", json!("10s")),
            (&["start=latest"], "/start", json!("latest")),
            (&["batch="], "/batch/records", json!(1000)),
        ];
        for (change, place, value) in changes {
            wait_until("records behind the last change", || host.through("p") > through + 500);
            let changed = set(change);
            assert_eq!((&changed["effect"], &changed["release"]), (&json!("live"), &json!(1)), "{changed}");
            let status = host.status("p");
            assert_eq!(status["trigger"].pointer(place), Some(&value), "{status}");
            through = host.through("p");
        }
        // What belongs to a release is one, and touches no consumer either.
        let changed = set(&["limits.memory=64MiB"]);
        assert_eq!((&changed["effect"], &changed["release"]), (&json!("swap"), &json!(2)), "{changed}");
        assert_eq!(set(&["retries=7"])["effect"], "none", "it is so already");
        done.store(true, Relaxed);
        written.join().expect("a writer")
    });
    wait_until("the end", || host.through("p") == records && host.status("p")["lag"] == 0);
    assert_eq!(host.status("p")["rebalances"], 1);
    check(&to.read_all(), (0..records).map(|number| (number, "v1", 1)));
}

#[test]
fn the_size_of_batches_is_what_was_set_last() {
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let shape = Shape { module: "timed@1, config: { rows: key }", ..PLAIN };
    let host = start(&shape, &from, &to);
    let sizes = |read: &[Read]| -> Vec<u64> {
        read.iter().map(|record| record.key.as_deref().expect("a key").parse().expect("rows")).collect()
    };
    // What is gathered waits for 700 records of a partition, beyond what a batch had before.
    host.cli(&["set", "p", "batch.records=700", "linger=10s"]).ok();
    from.write_in(0, (0..701).map(line));
    let read = to.read_until(|read| read.len() >= 700);
    assert!(sizes(&read).iter().any(|rows| *rows > 500), "{:?}", sizes(&read));
    // And the one that is left does not wait any longer.
    host.cli(&["set", "p", "batch.records=3", "linger=0ms"]).ok();
    wait_until("the last one", || host.through("p") == 701);
    from.write_in(1, (0..400).map(line));
    wait_until("the end", || host.through("p") == 1101);
    let large = sizes(&to.read_all()).into_iter().filter(|rows| *rows > 3).count();
    assert_eq!(large, 700, "all but that batch are small");
}

#[test]
fn the_switch_leaves_the_group_and_goes_on_from_what_is_committed() {
    const RECORDS: u64 = 40_000;
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let mut host = start(&Shape { delivery: "exactly-once", ..PLAIN }, &from, &to);
    from.write(0, (0..RECORDS / 2).map(line));
    wait_until("records", || host.through("p") > 1000);
    let off = host.cli(&["set", "p", "enabled=false"]).ok();
    assert_eq!((&off["effect"], &off["state"]), (&json!("stopped"), &json!("stopped")), "{off}");
    assert_eq!(off["reason"], "`enabled` is false");
    wait_until("an empty group", || from.members(&group(&from)) == 0);
    from.write(RECORDS / 2, (RECORDS / 2..RECORDS).map(line));
    assert_eq!(host.cli(&["resume", "p"]).ok()["state"], "stopped", "the switch is no pause");
    host.kill_and_restart();
    let status = host.status("p");
    assert_eq!((&status["state"], &status["trigger"]["enabled"]), (&json!("stopped"), &json!(false)), "{status}");
    let on = host.cli(&["set", "p", "enabled=true"]).ok();
    assert_eq!((&on["effect"], &on["release"]), (&json!("started"), &json!(1)), "{on}");
    wait_until("the end", || host.status("p")["lag"] == 0);
    check(&to.read_all(), (0..RECORDS).map(|number| (number, "v1", 1)));
}

#[test]
fn what_was_set_survives_a_kill_also_of_a_host_that_is_given_the_file_at_its_start() {
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.yaml");
    let module = format!("\"file:{}\", config: {{ mark: v1 }}", guest("log-clean"));
    let shape = Shape { module: &module, ..PLAIN };
    std::fs::write(&file, shape.yaml(&from, &to)).expect("written");
    let mut host = Host::run(std::slice::from_ref(&file), &[]);
    host.cli(&["set", "p", "batch.records=77", "backoff.to=9s", "config.mark=v2"]).ok();
    host.kill_and_restart();
    let trigger = |host: &Host| host.status("p")["trigger"].clone();
    assert_eq!((&trigger(&host)["batch"]["records"], &trigger(&host)["backoff"]["to"]), (&json!(77), &json!("9s")));
    from.write(0, (0..100).map(line));
    wait_until("records", || host.through("p") == 100);
    check(&to.read_all(), (0..100).map(|number| (number, "v2", 1)));
    // A rollback brings the module's settings back, and leaves the trigger as it is.
    host.cli(&["rollback", "p"]).ok();
    assert_eq!(trigger(&host)["batch"]["records"], 77);
    // Another text is the whole truth.
    std::fs::write(&file, shape.yaml(&from, &to).replace("records: 500", "records: 600")).expect("written");
    host.kill_and_restart();
    let trigger = trigger(&host);
    assert_eq!((&trigger["batch"]["records"], &trigger["backoff"]["to"]), (&json!(600), &json!("30s")));
}

#[test]
fn a_change_that_is_wrong_says_where_and_leaves_everything_as_it_is() {
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let host = start(&PLAIN, &from, &to);
    let refused = |change: &[&str]| {
        let answer = host.cli(&[&["set", "p"], change].concat());
        assert_eq!(answer.code, 5, "{}", answer.json);
        answer.json
    };
    let table = [
        (&["batch.records=10001"][..], "source.kafka.batch.records", "a whole number from 1 to 10000"),
        (&["batch.records=0"], "source.kafka.batch.records", "a whole number from 1 to 10000"),
        (&["retries=0"], "errors.retries", "a whole number from 1 to 10000"),
        (&["linger=20"], "source.kafka.batch.linger", "a duration from 0ms to 10s"),
        (&["batch.recrods=5"], "source.kafka.batch.recrods", "unknown key `recrods`"),
        (&["timer.every=1s", "timer.cron=* * * * *"], "timer", "expected one of `every` and `cron`"),
        (&["timer.cron=* * *"], "timer.cron", "a cron expression"),
        (&["timer.cron=* * * * *", "timer.timezone=Berlin"], "timer.timezone", "the IANA name of a time zone"),
        (&["routes={\"clean\":[\"nowhere\"]}"], "routes.clean[0]", "no sink is called `nowhere`"),
    ];
    for (change, place, words) in table {
        let problem = refused(change);
        assert_eq!((&problem["code"], &problem["problems"][0]["path"]), (&json!("bad-config"), &json!(place)));
        assert!(problem["problems"][0]["message"].as_str().is_some_and(|said| said.contains(words)), "{problem}");
    }
    let problem = refused(&["timer.every=1s"]);
    assert_eq!(problem["code"], "no-timer", "log-clean has none: {problem}");
    assert_eq!(refused(&["pipeline=q"])["code"], "bad-request");
    assert_eq!(host.cli(&["set", "ghost", "retries=1"]).code, 4);
    assert_eq!(host.cli(&["set", "p", "retries"]).code, 2);
    let status = host.status("p");
    assert_eq!((&status["release"], &status["trigger"]["batch"]["records"]), (&json!(1), &json!(500)), "{status}");
    assert!(status["trigger"]["timer"].is_null());
}
