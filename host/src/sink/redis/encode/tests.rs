use std::{rc::Rc, time::Duration};

use redis::Pipeline;

use super::*;
use crate::{
    batch::MemoryRows,
    columns::BytesColumn,
    config::Versions,
    output::{Output, View},
    sink::{
        delivery::{self, Desk},
        redis::commands,
    },
};

fn sink(command: RedisCommand, key: &str) -> config::RedisSink {
    config::RedisSink {
        url: "redis://127.0.0.1".into(),
        command,
        key: key.parse().expect("a template"),
        ttl_header: None,
        versions: None,
        workers: 1,
        timeout: Duration::from_secs(1),
    }
}

/// The commands for one record at offset 40 of `t[3]`, in words; or why there are none.
fn commands(
    sink: &config::RedisSink,
    op: Op,
    value: Option<&[u8]>,
    target: Option<&str>,
) -> Result<Vec<String>, String> {
    commands_of(sink, &[], op, value, target)
}

/// As [`commands`], for a record with headers.
fn commands_of(
    sink: &config::RedisSink,
    headers: &[(&str, &str)],
    op: Op,
    value: Option<&[u8]>,
    target: Option<&str>,
) -> Result<Vec<String>, String> {
    let mut rows = MemoryRows::default();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes()))).collect();
    rows.push(40, 0, Some(b"k"), value, &headers);
    let batch = Batch { topic: "t".into(), partition: 3, epoch: 1, bytes: 0, rows: Rc::new(rows) };
    let mut targets = BytesColumn::default();
    targets.push(target.map(str::as_bytes));
    let output = Output { rows: vec![0], ops: Some(vec![op]), targets: Some(targets), ..Output::default() };
    let (view, mut encoder) = (View { batch: &batch, base: 0, output: &output }, Encoder::new(sink));
    let desk = Desk::new("r", std::sync::Arc::default());
    let (payload, rejected) = delivery::encode(&desk, &mut encoder, &batch, &mut view.records());
    if let Some(rejected) = rejected.first() {
        return Err(rejected.reason.clone());
    }
    let mut pipeline = Pipeline::new();
    let count: usize = (0..payload.len()).map(|item| commands::add(payload.bytes(item), &mut pipeline)).sum();
    assert_eq!(count, pipeline.len());
    let words = |command: &redis::Cmd| {
        let words = command.args_iter().map(|argument| match argument {
            redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    Ok(pipeline.cmd_iter().map(words).collect())
}

#[test]
fn each_command_knows_its_ops() {
    let ttl = Some(Duration::from_millis(1500));
    let string = RedisCommand::String { ttl: None };
    let brief = RedisCommand::String { ttl };
    let hash = RedisCommand::Hash { field: None, ttl: None };
    let field = RedisCommand::Hash { field: Some("{offset}".parse().expect("a template")), ttl };
    let json = RedisCommand::Json { path: "$".into(), ttl: None };
    let list = RedisCommand::List { maxlen: Some(9), ttl: None };
    let set = RedisCommand::Set { ttl: None };
    let counter = RedisCommand::Counter { field: None, ttl };
    let counted = RedisCommand::Counter { field: Some("{offset}".parse().expect("a template")), ttl: None };
    let stream = RedisCommand::Stream { maxlen: Some(9), field: "value".into() };
    let table: [(&RedisCommand, Op, &[u8], &[&str]); 29] = [
        (&string, Op::Put, b"v", &["SET k v"]),
        (&string, Op::Create, b"v", &["SET k v NX"]),
        (&brief, Op::Put, b"v", &["SET k v PX 1500"]),
        (&string, Op::Delete, b"v", &["DEL k"]),
        (
            &hash,
            Op::Put,
            br#"{"a":"x\ny","n":null,"o":{"b":[1]}}"#,
            &["MULTI", "DEL k", "HSET k a x\ny o {\"b\":[1]}", "EXEC"],
        ),
        (&hash, Op::Put, b"{}", &["DEL k"]),
        (&hash, Op::Merge, br#"{"a":1.50,"n":null}"#, &["MULTI", "HSET k a 1.50", "HDEL k n", "EXEC"]),
        (&hash, Op::Merge, br#"{"a":true}"#, &["HSET k a true"]),
        (&hash, Op::Merge, b"{}", &[]),
        (&hash, Op::Delete, b"", &["DEL k"]),
        (&field, Op::Put, b"v", &["MULTI", "HSET k 40 v", "PEXPIRE k 1500", "EXEC"]),
        (&field, Op::Create, b"v", &["MULTI", "HSETNX k 40 v", "PEXPIRE k 1500", "EXEC"]),
        (&field, Op::Delete, b"v", &["HDEL k 40"]),
        (&json, Op::Put, b"[]", &["JSON.SET k $ []"]),
        (&json, Op::Create, b"[]", &["JSON.SET k $ [] NX"]),
        (&json, Op::Merge, b"[]", &["JSON.MERGE k $ []"]),
        (&json, Op::Delete, b"[]", &["JSON.DEL k $"]),
        (&list, Op::Put, b"v", &["MULTI", "RPUSH k v", "LTRIM k -9 -1", "EXEC"]),
        (&list, Op::Delete, b"v", &["DEL k"]),
        (&set, Op::Put, b"v", &["SADD k v"]),
        (&set, Op::Delete, b"v", &["SREM k v"]),
        (&counter, Op::Put, b" -7", &["MULTI", "INCRBY k -7", "PEXPIRE k 1500", "EXEC"]),
        (&counter, Op::Delete, b"1", &["DEL k"]),
        (&counted, Op::Put, b"1", &["HINCRBY k 40 1"]),
        (&counted, Op::Merge, b"1", &["HINCRBY k 40 1"]),
        (&counted, Op::Delete, b"1", &["HDEL k 40"]),
        (&stream, Op::Put, b"v", &["XADD k MAXLEN ~ 9 * value v"]),
        (&RedisCommand::Publish, Op::Put, b"v", &["PUBLISH k v"]),
        (&RedisCommand::Publish, Op::Create, b"", &["PUBLISH k "]),
    ];
    for (command, op, value, expected) in table {
        assert_eq!(
            commands(&sink(command.clone(), "{key}"), op, Some(value), None).as_deref(),
            Ok(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
            "{command:?} {op:?}"
        );
    }
    for command in [&string, &hash, &list, &set] {
        let gone = commands(&sink(command.clone(), "{key}"), Op::Put, None, None);
        assert_eq!(gone.as_deref(), Ok(&["DEL k".to_owned()][..]), "{command:?} without a value");
    }
    let refused = [
        (&string, Op::Merge),
        (&hash, Op::Create),
        (&list, Op::Create),
        (&list, Op::Merge),
        (&counter, Op::Create),
        (&stream, Op::Merge),
        (&stream, Op::Delete),
        (&RedisCommand::Publish, Op::Delete),
    ];
    for (command, op) in refused {
        let reason = commands(&sink(command.clone(), "{key}"), op, Some(b"{}"), None).expect_err("a refusal");
        assert!(reason.contains("knows no"), "{command:?} {op:?}: {reason}");
    }
    let reason = commands(&sink(hash, "{key}"), Op::Put, Some(b"[1]"), None).expect_err("a refusal");
    assert!(reason.starts_with("sink `r`: the value is no JSON object"), "{reason}");
}

#[test]
fn a_counter_adds_whole_numbers_only() {
    let counter = sink(RedisCommand::Counter { field: None, ttl: None }, "{key}");
    for bad in [&b"1.5"[..], b"", b"one", b"9223372036854775808", b"\xff"] {
        let reason = commands(&counter, Op::Put, Some(bad), None).expect_err("a refusal");
        assert!(reason.contains("no whole number of 64 bits"), "{reason}");
    }
}

#[test]
fn a_record_may_say_how_long_its_key_lives() {
    let ttl = Some(Duration::from_secs(1));
    let own = config::RedisSink { ttl_header: Some("ttl".into()), ..sink(RedisCommand::String { ttl }, "{key}") };
    let table: [(&[(&str, &str)], Result<&str, &str>); 7] = [
        (&[], Ok("SET k v PX 1000")),
        (&[("other", "9s"), ("ttl", "1m 30s"), ("ttl", "bad")], Ok("SET k v PX 90000")),
        (&[("ttl", "876000h")], Ok("SET k v PX 3153600000000")),
        (&[("ttl", "90")], Err("the header `ttl` is no time to live")),
        (&[("ttl", "0s")], Err("the header `ttl` is no time to live")),
        (&[("ttl", "-1s")], Err("the header `ttl` is no time to live")),
        (&[("ttl", "876001h")], Err("the header `ttl` is no time to live")),
    ];
    for (headers, expected) in table {
        let got = commands_of(&own, headers, Op::Put, Some(b"v"), None);
        match (got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, [expected]),
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{got}"),
            other => panic!("{headers:?}: {other:?}"),
        }
    }
}

#[test]
fn a_stream_of_one_partition_has_entries_named_after_their_offsets() {
    let stream = RedisCommand::Stream { maxlen: None, field: "f".into() };
    let own = sink(stream.clone(), "s:{topic}:{partition}");
    assert_eq!(commands(&own, Op::Put, Some(b"v"), None), Ok(vec!["XADD s:t:3 40-1 f v".into()]));
    // Who knows who else writes there.
    assert_eq!(commands(&own, Op::Put, Some(b"v"), Some("there")), Ok(vec!["XADD there * f v".into()]));
    let shared = sink(stream, "s:{partition}");
    assert_eq!(commands(&shared, Op::Put, Some(b"v"), None), Ok(vec!["XADD s:3 * f v".into()]));
    assert_eq!([Encoder::new(&own).is_atomic(), Encoder::new(&shared).is_atomic()], [true, false]);
}

#[test]
fn a_guard_puts_versions_before_the_commands() {
    let guarded = |command, versions| config::RedisSink { versions: Some(versions), ..sink(command, "{key}") };
    let first = |sink: &config::RedisSink, op, value| {
        let commands = commands(sink, op, value, None).expect("a command");
        let [command] = &commands[..] else { panic!("{commands:?}") };
        // The name of the script is of no interest.
        let mut words: Vec<&str> = command.split(' ').collect();
        words.remove(1);
        words.join(" ")
    };
    let list = RedisCommand::List { maxlen: Some(2), ttl: Some(Duration::from_millis(1500)) };
    assert_eq!(
        first(&guarded(list, Versions::Offset), Op::Put, Some(b"v")),
        "EVALSHA 1 k:versions @t-3 410000000000 86401500 3 RPUSH k v 4 LTRIM k -2 -1 3 PEXPIRE k 1500"
    );
    let set = guarded(RedisCommand::Set { ttl: None }, Versions::Offset);
    assert_eq!(first(&set, Op::Delete, Some(b"m")), "EVALSHA 1 k:versions m@t-3 410000000000 0 3 SREM k m");
    assert_eq!(first(&set, Op::Delete, None), "EVALSHA 1 k:versions @t-3 410000000000 86400000 2 DEL k");
    let counted = RedisCommand::Counter { field: Some("f".parse().expect("a template")), ttl: None };
    assert_eq!(
        first(&guarded(counted, Versions::Offset), Op::Put, Some(b"2")),
        "EVALSHA 1 k:versions f@t-3 410000000000 0 4 HINCRBY k f 2"
    );
    // Without a version there is nothing to compare.
    let string = guarded(RedisCommand::String { ttl: None }, Versions::Module);
    assert_eq!(commands(&string, Op::Put, Some(b"v"), None), Ok(vec!["SET k v".into()]));
}
