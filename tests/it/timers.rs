//! The timed trigger on real pipelines, and the manual one.

use std::collections::BTreeSet;

use e2e::{Host, Read, Topic, guest, wait_until};
use serde_json::{Value, json};

use crate::triggers::{PLAIN, Shape, check, group, line, start};

/// Planned time and rows seen, of each fire that arrived.
fn fires(to: &Topic, done: impl Fn(&[(i64, u64)]) -> bool) -> Vec<(i64, u64)> {
    let parse = |read: &[Read]| -> Vec<(i64, u64)> {
        let fires = read.iter().filter(|record| record.key.as_deref() == Some("fire"));
        let words = fires.map(|record| record.value.as_deref().expect("a value").split(' ').collect::<Vec<_>>());
        words.map(|words| (words[0].parse().expect("a time"), words[2].parse().expect("rows"))).collect()
    };
    parse(&to.read_until(|read| done(&parse(read))))
}

#[test]
fn one_host_of_a_group_fires_and_another_takes_over() {
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let shape = Shape { module: "timed@1", lanes: 2, more: "timer: { every: 200ms }", ..PLAIN };
    let mut hosts = [start(&shape, &from, &to), start(&shape, &from, &to)];
    let has = |host: &Host, partition: &str| host.status("p")["partitions"][&from.name][partition].is_object();
    let fired = |host: &Host| host.status("p")["fires"].as_u64().expect("a number");
    wait_until("all in the group", || from.members(&group(&from)) == 4 && hosts.iter().any(|host| has(host, "0")));
    let owner = usize::from(has(&hosts[1], "0"));
    let before = [fired(&hosts[0]), fired(&hosts[1])];
    wait_until("fires", || fired(&hosts[owner]) > before[owner] + 5);
    assert!(fired(&hosts[1 - owner]) <= before[1 - owner] + 1, "only the owner of partition 0 fires");
    from.write(0, (0..100).map(line));
    wait_until("records", || hosts.iter().map(|host| host.through("p")).sum::<u64>() == 100);
    let so_far = fires(&to, |fires| fires.len() > 10);
    assert!(so_far.iter().all(|(at, _)| at % 200 == 0), "{so_far:?}");
    hosts[owner].kill();
    let other = &hosts[1 - owner];
    let before = fired(other);
    wait_until("the other one to fire", || fired(other) > before + 5);

    // It is changed as it runs: to a time that does not come soon, and back to one that is asked for by hand.
    assert_eq!(other.cli(&["set", "p", "timer.every=", "timer.cron=0 0 1 1 *"]).ok()["effect"], "live");
    let status = other.status("p");
    assert_eq!(status["trigger"]["timer"]["next"].as_str().map(|next| next.ends_with("-01-01T00:00:00Z")), Some(true));
    let last = fired(other);
    assert_eq!(other.cli(&["invoke", "p", "--timer", "--deliver"]).ok()["fires"], 1);
    assert!((last + 1..=last + 2).contains(&fired(other)), "one by hand, one that was under way at most");
    assert_eq!(other.cli(&["set", "p", "timer="]).ok()["effect"], "live");
    assert!(other.status("p")["trigger"]["timer"].is_null());
    let all = fires(&to, |fires| fires.len() as u64 >= fired(other));
    let distinct: BTreeSet<i64> = all.iter().map(|(at, _)| *at).collect();
    assert!(distinct.len() + 1 >= all.len(), "a fire of two owners at once is the rare exception: {all:?}");
}

#[test]
fn each_lane_tells_what_it_saw_where_each_lane_fires() {
    const RECORDS: u64 = 2000;
    for delivery in ["at-least-once", "exactly-once"] {
        let (from, to) = (Topic::new("in"), Topic::new("out"));
        let module = "pulse@1, config: { name: beat }";
        let shape = Shape { module, lanes: 2, delivery, more: "timer: { every: 300ms, scope: lane }", ..PLAIN };
        let host = Host::start();
        host.cli(&["push", &guest("pulse"), "pulse@1"]).ok();
        let yaml = shape.yaml(&from, &to).replace("fired: [out]", "pulse: [out]");
        host.apply("p", &yaml).ok();
        let both = || host.status("p")["partitions"][&from.name].as_object().is_some_and(|all| all.len() == 4);
        wait_until("the partitions", both);
        from.write(0, (0..RECORDS).map(line));
        wait_until("records", || host.through("p") == RECORDS);
        // The sum over all lanes is what came: each row was counted by one lane, and told once.
        let counted = |read: &[Read]| -> u64 {
            let beats = read.iter().filter(|record| record.key.as_deref() == Some("beat"));
            let values = beats.map(|record| record.value.as_deref().expect("a value"));
            values
                .map(|value| serde_json::from_str::<Value>(value).expect("JSON")["records"].as_u64().expect("n"))
                .sum()
        };
        let read = to.read_until(|read| counted(read) >= RECORDS);
        assert_eq!(counted(&read), RECORDS);
    }
}

#[test]
fn batches_are_saved_given_again_and_delivered_by_hand() {
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let dead = format!("errors: {{ dead_letter: {{ kafka: {{ topic: {}.dead }} }} }}", to.name);
    for delivery in ["at-least-once", "exactly-once"] {
        let mut host = start(&Shape { delivery, more: &dead, ..PLAIN }, &from, &to);
        let file = host.folder.path().join("batch.ndjson");
        std::fs::write(&file, "{\"key\":\"1\",\"value\":{\"n\":1}}\n{\"key\":\"2\",\"value\":\"no JSON\"}\n")
            .expect("written");
        let file = file.display().to_string();
        let saved = host.cli(&["invoke", "p", "--save", "mixed", "--input", &file, "--topic", "t"]).ok();
        assert_eq!((&saved["batch"], &saved["records"]), (&json!("mixed"), &json!(2)), "{saved}");
        host.kill_and_restart();
        assert_eq!(host.cli(&["invoke", "p", "--list"]).ok()[0]["batch"], "mixed");

        let shown = host.cli(&["invoke", "p", "--batch", "mixed"]).ok();
        assert_eq!(shown["records"][0]["value"], r#"{"n":1,"mark":"v1"}"#, "{shown}");
        assert!(shown["records"][1]["rejected"].is_string() && shown["delivered"].is_null(), "{shown}");
        let delivered = host.cli(&["invoke", "p", "--batch", "mixed", "--deliver"]).ok();
        assert_eq!(delivered["delivered"], json!({ "records": 1, "dead_lettered": 1 }), "{delivered}");
        assert_eq!(host.through("p"), 0, "the pipeline itself has read nothing");

        assert_eq!(host.cli(&["invoke", "p", "--batch", "other"]).code, 4);
        assert_eq!(host.cli(&["invoke", "p", "--batch", "mixed", "--input", &file]).code, 2);
        assert_eq!(host.cli(&["invoke", "p", "--timer"]).json["code"], "no-timer");
        host.cli(&["invoke", "p", "--delete", "mixed"]).ok();
        assert_eq!(host.cli(&["invoke", "p", "--list"]).ok(), json!([]));
        host.cli(&["delete", "p"]).ok();
    }
    check(&to.read_all(), [(1, "v1", 2)].into_iter());
    let dead = Topic { name: format!("{}.dead", to.name), partitions: 4 };
    let letters = dead.read_all();
    assert_eq!(letters.len(), 2);
    assert!(letters.iter().all(|letter| letter.headers["__connect.errors.topic"] == "t"), "{letters:?}");
}

#[test]
fn a_timer_is_tried_by_hand_behind_a_batch() {
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let host = start(&Shape { module: "timed@1", ..PLAIN }, &from, &to);
    let file = host.folder.path().join("batch.ndjson");
    std::fs::write(&file, "{\"value\":\"a\"}\n{\"value\":\"b\"}\n{\"fire\":1700000000000}\n").expect("written");
    let shown = host.cli(&["invoke", "p", "--input", &file.display().to_string()]).ok();
    let fire = &shown["records"][2];
    assert_eq!((&fire["fire"], &fire["value"]), (&json!(true), &json!("1700000000000 0 2")), "{shown}");
    let alone = host.cli(&["invoke", "p", "--timer"]).ok();
    assert_eq!(alone["records"].as_array().map(Vec::len), Some(1), "{alone}");
    // Without a timer in the pipeline it is fired by hand all the same, by the lane that would.
    wait_until("the partitions", || host.status("p")["partitions"][&from.name]["0"].is_object());
    assert_eq!(host.cli(&["invoke", "p", "--timer", "--deliver"]).ok()["fires"], 1);
    assert_eq!(fires(&to, |fires| !fires.is_empty()).len(), 1);
    host.cli(&["pause", "p"]).ok();
    assert_eq!(host.cli(&["invoke", "p", "--timer", "--deliver"]).json["code"], "not-fired");
}
