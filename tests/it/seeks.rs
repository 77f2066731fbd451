//! A pipeline's position, moved while it runs.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use e2e::{Topic, timestamp, wait_until};
use serde_json::{Value, json};

use crate::triggers::{PLAIN, Shape, check, group, line, start};

/// Where each partition goes: by the answer of a seek.
fn moves(answer: &Value, topic: &str) -> BTreeMap<i32, (Option<i64>, i64)> {
    let partitions = answer["partitions"][topic].as_object().expect("partitions");
    let one = |(partition, one): (&String, &Value)| {
        (partition.parse().expect("a number"), (one["from"].as_i64(), one["to"].as_i64().expect("an offset")))
    };
    partitions.iter().map(one).collect()
}

#[test]
fn a_seek_reads_again_exactly_what_lies_behind_its_place() {
    for delivery in ["at-least-once", "exactly-once"] {
        seek(delivery);
    }
}

fn seek(delivery: &str) {
    const RECORDS: u64 = 12_000;
    const SHARE: i64 = RECORDS as i64 / 4;
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let host = start(&Shape { lanes: 2, delivery, ..PLAIN }, &from, &to);
    // Number n is offset n / 4 of partition n % 4: where a seek leads to is known for each.
    let behind =
        |answer: &Value, number: u64| moves(answer, &from.name)[&((number % 4) as i32)].1 <= (number / 4) as i64;
    from.write(0, (0..RECORDS / 2).map(line));
    wait_until("the first half", || host.through("p") >= RECORDS / 2);
    host.cli(&["deploy", "p", "--config", "mark=v2"]).ok();
    from.write(RECORDS / 2, (RECORDS / 2..RECORDS).map(line));
    wait_until("the second half", || host.through("p") >= RECORDS && host.status("p")["lag"] == 0);
    host.cli(&["deploy", "p", "--config", "mark=v3"]).ok();

    // Where the second release began: with its first record, or at the swap where a lane had read before.
    let planned = host.cli(&["seek", "p", "--to", "release:2", "--dry-run"]).ok();
    assert_eq!((&planned["moved"], moves(&planned, &from.name).len()), (&json!(false), 4), "{planned}");
    let second = host.cli(&["seek", "p", "--to", "release:2"]).ok();
    assert_eq!((&second["moved"], &second["left"]), (&json!(true), &json!(0)), "{second}");
    // What it starts from is what was committed by then, which goes on meanwhile.
    let targets = |answer: &Value| -> BTreeMap<i32, i64> {
        moves(answer, &from.name).into_iter().map(|(partition, (_, to))| (partition, to)).collect()
    };
    assert_eq!(targets(&second), targets(&planned));
    assert!(moves(&second, &from.name).values().all(|one| one.0.is_some() && one.1 == SHARE / 2), "{second}");
    let drained = |through: u64| {
        wait_until("all again", || host.through("p") >= through && host.status("p")["lag"] == 0);
    };
    drained(RECORDS + RECORDS / 2);

    let middle = RECORDS / 3;
    let by_time = host.cli(&["seek", "p", "--to", &rfc3339(timestamp(middle))]).ok();
    let again: u64 = (0..RECORDS).filter(|number| behind(&by_time, *number)).count() as u64;
    assert_eq!(again, RECORDS - middle, "{by_time}");
    drained(RECORDS + RECORDS / 2 + again);

    let first = format!("{}:1={}", from.name, SHARE - 10);
    let one = host.cli(&["seek", "p", "--to", &first]).ok();
    assert_eq!(moves(&one, &from.name).keys().copied().collect::<Vec<_>>(), [1], "the others stay");
    assert_eq!(one["partitions"][&from.name]["1"]["again"].as_i64().map(|again| again >= 10), Some(true), "{one}");
    drained(RECORDS + RECORDS / 2 + again + 10);

    // Forward: what is skipped is said, and not read.
    host.cli(&["pause", "p"]).ok();
    from.write(RECORDS, (RECORDS..RECORDS + 400).map(line));
    let latest = host.cli(&["seek", "p", "--to", "latest"]).ok();
    let skipped: i64 = latest["partitions"][&from.name]
        .as_object()
        .expect("all")
        .values()
        .filter_map(|one| one["skipped"].as_i64())
        .sum();
    assert!(skipped >= 400, "{latest}");
    assert_eq!(host.status("p")["state"], "paused", "it was before, and is again");
    host.cli(&["resume", "p"]).ok();
    from.write(RECORDS + 400, (RECORDS + 400..RECORDS + 800).map(line));
    drained(RECORDS + RECORDS / 2 + again + 10 + 400);
    check(
        &to.read_all(),
        (0..RECORDS)
            .flat_map(|number| {
                let before = if number < RECORDS / 2 { "v1" } else { "v2" };
                let again = u32::from(behind(&second, number)) + u32::from(behind(&by_time, number));
                let last = u32::from(number % 4 == 1 && number / 4 >= SHARE as u64 - 10);
                [(number, before, 1), (number, "v3", again + last)]
            })
            .chain((RECORDS + 400..RECORDS + 800).map(|number| (number, "v3", 1))),
    );
}

fn rfc3339(ms: i64) -> String {
    // Days since the epoch: the tests' clock begins on 2023-11-14 at 22:13:20.
    let seconds = ms / 1000 - 1_700_000_000 + 22 * 3600 + 13 * 60 + 20;
    let (day, rest) = (14 + seconds / 86_400, seconds % 86_400);
    format!("2023-11-{day:02}T{:02}:{:02}:{:02}.{:03}Z", rest / 3600, rest / 60 % 60, rest % 60, ms % 1000)
}

#[test]
fn a_seek_is_refused_while_others_are_in_the_group_and_for_places_that_are_not_there() {
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let host = start(&PLAIN, &from, &to);
    from.write(0, (0..400).map(line));
    wait_until("records", || host.through("p") == 400);
    let refused = |place: &str, code: &str| {
        let answer = host.cli(&["seek", "p", "--to", place]);
        assert_eq!((answer.code, &answer.json["code"]), (5, &json!(code)), "{}", answer.json);
        answer.json["detail"].as_str().expect("words").to_owned()
    };
    let topic = &from.name;
    assert!(refused(&format!("{topic}:0=101"), "offset-out-of-range").contains("the next one will be 100"));
    assert!(refused(&format!("{topic}:7=0"), "no-such-partition").contains("partition 7"));
    assert!(refused("nosuch:0=0", "no-such-partition").contains("`nosuch`"));
    assert!(refused("yesterday", "bad-request").contains("`release:N`"));
    assert_eq!(host.cli(&["seek", "p", "--to", "release:9"]).code, 4);

    let other = start(&PLAIN, &from, &to);
    wait_until("both in the group", || from.members(&group(&from)) == 2);
    let said = refused("earliest", "group-in-use");
    assert!(said.contains("wasmill at 127.0.0.1") && said.contains("Nothing was moved"), "{said}");
    other.cli(&["set", "p", "enabled=false"]).ok();
    wait_until("the other one gone", || from.members(&group(&from)) == 1);
    host.cli(&["seek", "p", "--to", "earliest"]).ok();
    wait_until("all again", || host.through("p") == 800);
    check(&to.read_all(), (0..400).map(|number| (number, "v1", 2)));
}

/// Changes strike while records flow through several lanes; what is asked for by many at once is done in turn.
#[test]
fn changes_and_seeks_under_load_lose_nothing() {
    const RECORDS: u64 = 60_000;
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let host = start(&Shape { lanes: 2, ..PLAIN }, &from, &to);
    let done = AtomicBool::new(false);
    let moved = std::thread::scope(|scope| {
        scope.spawn(|| {
            from.write(0, (0..RECORDS).map(line));
            done.store(true, Relaxed);
        });
        wait_until("records", || host.through("p") > 2000);
        let tuner = scope.spawn(|| {
            while !done.load(Relaxed) {
                for records in ["batch.records=1", "batch.records=10000"] {
                    host.cli(&["set", "p", records]).ok();
                }
            }
        });
        let back = host.cli(&["seek", "p", "--to", "earliest"]).ok();
        tuner.join().expect("no panic");
        back
    });
    wait_until("the end", || host.status("p")["lag"] == 0);
    let again: i64 = moved["partitions"][&from.name]
        .as_object()
        .expect("all")
        .values()
        .filter_map(|one| one["again"].as_i64())
        .sum();
    assert!(again > 0 && moved["left"] == 0, "{moved}");
    // From the begin to where the seek found it twice, and the rest once.
    let place = |number: u64| moves(&moved, &from.name)[&((number % 4) as i32)].0.unwrap_or(0);
    check(
        &to.read_all(),
        (0..RECORDS).map(|number| (number, "v1", 1 + u32::from(((number / 4) as i64) < place(number)))),
    );
}
