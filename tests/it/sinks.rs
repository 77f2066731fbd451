//! What arrives at Elasticsearch and Redis, compared with what had to.

use std::collections::BTreeMap;

use e2e::{Host, Index, Keys, Topic, guest, services, timestamp, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

/// A pipeline from one topic to these sinks, all on the module's one route.
fn pipeline(name: &str, from: &Topic, module: &str, route: &str, sinks: &[(&str, String)]) -> String {
    let kafka = &services().kafka;
    let names: Vec<&str> = sinks.iter().map(|(name, _)| *name).collect();
    let sinks: String = sinks.iter().map(|(name, sink)| format!("  {name}: {{ {sink} }}\n")).collect();
    format!(
        "pipeline: {name}\n\
         source: {{ kafka: {{ brokers: [\"{kafka}\"], topics: [{}] }} }}\n\
         module: {module}\n\
         routes: {{ {route}: [{}] }}\n\
         sinks:\n{sinks}\
         errors: {{ dead_letter: {{ kafka: {{ topic: {}.dead }} }} }}\n",
        from.name,
        names.join(", "),
        from.name
    )
}

fn elasticsearch(index: &Index, rest: &str) -> String {
    format!("elasticsearch: {{ urls: [\"{}\"], index: \"{}{rest} }}", services().elasticsearch, index.name)
}

fn redis(keys: &Keys, key: &str, rest: &str) -> String {
    format!("redis: {{ url: \"{}\", key: \"{}:{key}\", {rest} }}", services().redis, keys.prefix)
}

/// Day of a record, as `%Y.%m.%d` in UTC: all lie on two days.
fn day(number: u64) -> &'static str {
    if timestamp(number) < 1_700_006_400_000 { "2023.11.14" } else { "2023.11.15" }
}

#[test]
fn two_hundred_thousand_records_to_kafka_elasticsearch_and_redis() {
    const RECORDS: u64 = 200_000;
    let (from, to, host) = (Topic::new("in"), Topic::new("out"), Host::start());
    let (index, mut keys) = (Index::new("logs"), Keys::new("logs"));
    host.cli(&["push", &guest("log-clean"), "log-clean@1"]).ok();
    let sinks = [
        ("out", format!("kafka: {{ topic: {} }}", to.name)),
        ("es", elasticsearch(&index, "-{time:%Y.%m.%d}\"")),
        ("cache", redis(&keys, "{key}", "command: string")),
    ];
    let module = r#"{ ref: log-clean@1, config: { ignore: "name,password", set: env=prod } }"#;
    host.apply("three", &pipeline("three", &from, module, "clean", &sinks)).ok();
    let line = |number: u64| {
        format!(
            r#"{{"n":{number},"name":"user{number}","password":"x","nested":{{"a":["ä",null,"ü"]}},"text":"line {number}"}}"#
        )
    };
    let cleaned = |number: u64| json!({"n": number, "nested": {"a": ["ä", null, "ü"]}, "text": format!("line {number}"), "env": "prod"});
    from.write(0, (0..RECORDS).map(line));
    wait_until("the records", || host.through("three") == RECORDS);
    let status = host.status("three");
    for sink in ["out", "es", "cache"] {
        let counts = &status["sinks"][sink];
        assert_eq!((&counts["delivered"], &counts["rejected"]), (&json!(RECORDS), &json!(0)), "{sink}: {status}");
    }

    let mut read = to.read(RECORDS as usize);
    assert_eq!(read.len(), RECORDS as usize);
    read.sort_by_key(|record| record.timestamp);
    for (number, record) in (0..).zip(read) {
        assert_eq!((record.timestamp, record.key), (timestamp(number), Some(number.to_string())));
        let value: Value = serde_json::from_str(&record.value.expect("a value")).expect("JSON");
        assert_eq!(value, cleaned(number));
    }

    let mut documents = index.documents();
    assert_eq!(documents.len(), RECORDS as usize);
    for number in 0..RECORDS {
        let id = format!("{}-{}-{}", from.name, number % 4, number / 4);
        let expected = (format!("{}-{}", index.name, day(number)), cleaned(number));
        assert_eq!(documents.remove(&id), Some(expected), "{id}");
    }

    let numbers: Vec<u64> = (0..RECORDS).collect();
    for numbers in numbers.chunks(1000) {
        for (number, text) in numbers.iter().zip(keys.texts(numbers)) {
            let value: Value = serde_json::from_str(&text.expect("a value")).expect("JSON");
            assert_eq!(value, cleaned(*number));
        }
    }
    assert_eq!(keys.all().len(), RECORDS as usize);
}

/// Writes, overwrites and tombstones of some keys, each key always in the same partition.
fn changes(count: u64) -> impl Iterator<Item = (String, Option<String>)> {
    // Every fifth change of a key deletes it; the multipliers spread keys and endings.
    (0..count).map(|number| {
        let key = (number % 4) + 4 * (number / 4 * 7 % 250);
        (key.to_string(), (number / 3 % 5 != 0).then(|| format!(r#"{{"n":{number},"k":"{key}"}}"#)))
    })
}

#[test]
fn the_last_change_of_a_key_is_what_stays() {
    const CHANGES: u64 = 60_000;
    let (from, host) = (Topic::new("in"), Host::start());
    let (index, mut keys) = (Index::new("state"), Keys::new("state"));
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    let sinks = [
        ("es", elasticsearch(&index, "\", id: \"{key}\", batch: { records: 300 }")),
        ("cache", redis(&keys, "{key}", "command: string")),
        ("fields", redis(&keys, "h{key}", "command: hash")),
    ];
    host.apply("state", &pipeline("state", &from, "{ ref: identity@1 }", "out", &sinks)).ok();
    from.write_keyed(0, changes(CHANGES));
    wait_until("the changes", || host.through("state") == CHANGES);

    let model: BTreeMap<String, Option<String>> = changes(CHANGES).collect();
    let there: BTreeMap<&String, &String> =
        model.iter().filter_map(|(key, value)| Some((key, value.as_ref()?))).collect();
    assert!(there.len() > 500 && there.len() < 1000, "both endings: {}", there.len());
    let documents: BTreeMap<String, Value> =
        index.documents().into_iter().map(|(id, (_, document))| (id, document)).collect();
    let parsed =
        there.iter().map(|(key, value)| ((*key).clone(), serde_json::from_str(value).expect("JSON"))).collect();
    assert_eq!(documents, parsed);
    for (key, value) in &model {
        assert_eq!(&keys.run::<Option<String>>("GET", key, &[]), value, "{key}");
        let fields: BTreeMap<String, String> = keys.run("HGETALL", &format!("h{key}"), &[]);
        let expected = value.as_deref().map(|value| serde_json::from_str::<Value>(value).expect("JSON"));
        let expected = expected.map(|value| value["n"].to_string());
        assert_eq!(fields.get("n"), expected.as_ref(), "{key}");
    }
    assert_eq!(keys.all().len(), 2 * there.len());
}

#[test]
fn every_command_of_redis_leaves_what_it_should() {
    let (from, host, mut keys) = (Topic::new("in"), Host::start(), Keys::new("all"));
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    let channel = keys.key("channel");
    let mut subscriber = redis::Client::open(services().redis.as_str()).and_then(|client| client.get_connection());
    let mut messages = subscriber.as_mut().expect("a connection").as_pubsub();
    messages.subscribe(&channel).expect("subscribed");
    let sinks = [
        ("string", redis(&keys, "s{key}", "command: string, ttl: 1h")),
        ("hash", redis(&keys, "h{key}", "command: hash, ttl: 1h")),
        ("field", redis(&keys, "fields", "command: hash, field: \"{key}\"")),
        ("list", redis(&keys, "list", "command: list, maxlen: 3")),
        ("set", redis(&keys, "set", "command: set")),
        ("stream", redis(&keys, "stream-{topic}-{partition}", "command: stream, field: line")),
        ("publish", redis(&keys, "channel", "command: publish")),
    ];
    host.apply("all", &pipeline("all", &from, "{ ref: identity@1 }", "out", &sinks)).ok();
    let values: Vec<String> = (0..20).map(|number| format!(r#"{{"n":{number},"s":"x"}}"#)).collect();
    // All in partition 0, whose order Redis has to keep.
    for (number, value) in (0..).zip(&values) {
        from.write(4 * number, std::iter::once(value.clone()));
    }
    wait_until("the records", || host.through("all") == 20);

    assert_eq!(keys.run::<String>("GET", "s8", &[]), values[2]);
    assert!(keys.run::<i64>("PTTL", "s8", &[]) > 3_000_000);
    let fields: BTreeMap<String, String> = keys.run("HGETALL", "h8", &[]);
    assert_eq!(fields, BTreeMap::from([("n".into(), "2".into()), ("s".into(), "x".into())]));
    assert!(keys.run::<i64>("PTTL", "h8", &[]) > 3_000_000);
    assert_eq!(keys.run::<String>("HGET", "fields", &["12"]), values[3]);
    assert_eq!(keys.run::<i64>("HLEN", "fields", &[]), 20);
    assert_eq!(keys.run::<Vec<String>>("LRANGE", "list", &["0", "-1"]), values[17..]);
    assert_eq!(keys.run::<i64>("SCARD", "set", &[]), 20);
    let stream = format!("stream-{}-0", from.name);
    let entries: Vec<(String, Vec<String>)> = keys.run("XRANGE", &stream, &["-", "+"]);
    let expected: Vec<_> = (0..)
        .zip(&values)
        .map(|(offset, value)| (format!("{offset}-1"), vec!["line".to_owned(), value.clone()]))
        .collect();
    assert_eq!(entries, expected, "entries are named after their offsets");
    for value in &values {
        let message = messages.get_message().expect("a message");
        assert_eq!(&message.get_payload::<String>().expect("text"), value);
    }
}

#[test]
fn documents_that_elasticsearch_refuses_are_dead_letters_and_their_neighbours_arrive() {
    const RECORDS: u64 = 3000;
    let (from, host, index) = (Topic::new("in"), Host::start(), Index::new("strict"));
    index.create(&json!({ "dynamic": "strict", "properties": { "n": { "type": "integer" } } }));
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    let sinks = [("es", elasticsearch(&index, "\""))];
    host.apply("poison", &pipeline("poison", &from, "{ ref: identity@1 }", "out", &sinks)).ok();
    let bad = |number: u64| number % 1000 == 500;
    from.write(
        0,
        (0..RECORDS).map(|number| match (bad(number), number) {
            (false, _) => format!(r#"{{"n":{number}}}"#),
            (true, 500) => r#"{"n":"no number"}"#.to_owned(),
            (true, 1500) => r#"{"unknown":1}"#.to_owned(),
            (true, _) => "no JSON".to_owned(),
        }),
    );
    wait_until("the records", || host.through("poison") == RECORDS);

    let dead = Topic { name: format!("{}.dead", from.name), partitions: 4 };
    let mut letters = dead.read(3);
    letters.sort_by_key(|letter| letter.key.clone());
    let said: Vec<(Option<&str>, &str)> = letters
        .iter()
        .map(|letter| (letter.key.as_deref(), letter.headers["__connect.errors.exception.message"].as_str()))
        .collect();
    for ((key, reason), (expected, words)) in said.into_iter().zip([
        ("1500", "strict_dynamic_mapping_exception"),
        ("2500", "no JSON object"),
        ("500", "failed to parse field [n]"),
    ]) {
        assert_eq!(key, Some(expected));
        assert!(reason.contains("sink `es`") && reason.contains(words), "{reason}");
    }
    assert_eq!(index.count(), RECORDS as usize - 3);
    let status = host.status("poison");
    assert_eq!(status["records"]["dead_lettered"], 3, "{status}");
    assert_eq!(status["sinks"]["es"]["rejected"], 3, "{status}");
}

#[test]
fn what_a_module_says_becomes_ops_targets_and_versions() {
    let (from, host, index) = (Topic::new("in"), Host::start(), Index::new("ops"));
    host.cli(&["push", &guest("all-ops"), "all-ops@1"]).ok();
    let sinks = [("es", elasticsearch(&index, "\", id: \"{key}\""))];
    host.apply("ops", &pipeline("ops", &from, "{ ref: all-ops@1 }", "out", &sinks)).ok();
    let other = format!("{}-other", index.name);
    let said = [
        json!({"key": "a", "op": "put", "value": {"n": 1, "x": 1}}),
        json!({"key": "a", "op": "merge", "value": {"n": 2}}),
        json!({"key": "a", "op": "create", "value": {"n": 3}}),
        json!({"key": "b", "op": "merge", "value": {"n": 4}}),
        json!({"key": "c", "op": "put", "version": 7, "value": {"n": 5}}),
        json!({"key": "c", "op": "put", "version": 6, "value": {"n": 6}}),
        json!({"key": "d", "op": "put", "value": {"n": 7}}),
        json!({"key": "d", "op": "delete"}),
        json!({"key": "e", "op": "put", "target": other, "value": {"n": 8}}),
    ];
    for (number, said) in (0..).zip(&said) {
        from.write(4 * number, std::iter::once(said.to_string()));
    }
    wait_until("the records", || host.through("ops") == said.len() as u64);
    let own = index.name.clone();
    let expected = BTreeMap::from([
        ("a".to_owned(), (own.clone(), json!({"n": 2, "x": 1}))),
        ("b".to_owned(), (own.clone(), json!({"n": 4}))),
        ("c".to_owned(), (own.clone(), json!({"n": 5}))),
        ("e".to_owned(), (other, json!({"n": 8}))),
    ]);
    assert_eq!(index.documents(), expected);
    let status = host.status("ops");
    assert_eq!(status["sinks"]["es"]["ignored"], 2, "the create and the older version: {status}");
    let version = Index::call(Method::GET, &format!("{own}/_doc/c"), None);
    assert_eq!(version["_version"], 7);
}

#[test]
fn with_versions_old_news_and_repetitions_change_nothing() {
    const RECORDS: u64 = 2000;
    let (from, host) = (Topic::new("in"), Host::start());
    let (index, mut keys) = (Index::new("versions"), Keys::new("versions"));
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    host.cli(&["push", &guest("all-ops"), "all-ops@1"]).ok();
    let sinks = [
        ("es", elasticsearch(&index, "\", id: \"{key}\", versions: offset")),
        ("list", redis(&keys, "l{key}", "command: list, versions: offset")),
        ("fields", redis(&keys, "f{partition}", "command: hash, field: \"{key}\", versions: offset")),
        ("once", redis(&keys, "o{key}", "command: string, ttl: 1h, versions: offset")),
    ];
    // Ten changes of each key, all in its one partition.
    let line = |number: u64| format!(r#"{{"n":{number}}}"#);
    from.write_keyed(0, (0..RECORDS).map(|number| ((number % 200).to_string(), Some(line(number)))));
    // The second pipeline delivers all again, while the first may still be at it.
    for name in ["first", "second"] {
        host.apply(name, &pipeline(name, &from, "{ ref: identity@1 }", "out", &sinks)).ok();
    }
    for name in ["first", "second"] {
        wait_until("the records", || host.through(name) == RECORDS);
    }
    let (mut delivered, mut ignored) = (0, 0);
    for name in ["first", "second"] {
        let status = host.status(name);
        delivered += status["sinks"]["list"]["delivered"].as_u64().expect("a number");
        ignored += status["sinks"]["list"]["ignored"].as_u64().expect("a number");
    }
    assert_eq!((delivered, ignored), (2 * RECORDS, RECORDS), "each was applied once");
    let documents = index.documents();
    for key in 0..200_u64 {
        let changes: Vec<String> = (0..10).map(|change| line(key + 200 * change)).collect();
        let last = changes.last().expect("a change");
        assert_eq!(&keys.run::<Vec<String>>("LRANGE", &format!("l{key}"), &["0", "-1"]), &changes);
        assert_eq!(&keys.run::<String>("GET", &format!("o{key}"), &[]), last);
        assert!(keys.run::<i64>("PTTL", &format!("o{key}:versions"), &[]) > 24 * 3_600_000);
        let field: String = keys.run("HGET", &format!("f{}", key % 4), &[&key.to_string()]);
        assert_eq!(&field, last);
        assert_eq!(documents[&key.to_string()].1, serde_json::from_str::<Value>(last).expect("JSON"));
    }

    // What the module says: the older one comes last and is left alone.
    let versions = [redis(&keys, "m{key}", "command: string, versions: module")];
    let from = Topic::new("in");
    let said = pipeline("said", &from, "{ ref: all-ops@1 }", "out", &[("cache", versions[0].clone())]);
    host.apply("said", &said).ok();
    let said = [
        json!({"key": "a", "version": 7, "value": "new"}),
        json!({"key": "a", "version": 6, "value": "old"}),
        json!({"key": "b", "version": 9, "value": "x"}),
        json!({"key": "b", "version": 10, "op": "delete"}),
        json!({"key": "b", "version": 9, "value": "x"}),
        json!({"key": "c", "value": "1"}),
        json!({"key": "c", "value": "2"}),
    ];
    for (number, said) in (0..).zip(&said) {
        from.write(4 * number, std::iter::once(said.to_string()));
    }
    wait_until("the records", || host.through("said") == said.len() as u64);
    let left = ["ma", "mb", "mc"].map(|key| keys.run::<Option<String>>("GET", key, &[]));
    assert_eq!(left, [Some("new".into()), None, Some("2".into())]);
}

#[test]
fn a_server_that_is_not_what_it_should_be_is_said() {
    let (from, host, keys) = (Topic::new("in"), Host::start(), Keys::new("wrong"));
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    // Redis without the JSON module; something that is no Elasticsearch; nobody at all.
    let wrong = services().redis.replace("redis://", "http://");
    let pipelines = [
        ("no-json", redis(&keys, "{key}", "command: json"), "failed", "unknown command"),
        ("no-elastic", format!("elasticsearch: {{ urls: [\"{wrong}\"], index: x }}"), "stalled", "connection closed"),
        ("nobody", "elasticsearch: { urls: [\"http://127.0.0.1:9\"], index: x }".into(), "stalled", "refused"),
    ];
    for (name, sink, _, _) in &pipelines {
        let yaml = pipeline(name, &from, "{ ref: identity@1 }", "out", &[("sink", sink.clone())]);
        host.apply(name, &yaml).ok();
    }
    from.write(0, (0..10).map(|number| format!(r#"{{"n":{number}}}"#)));
    for (name, _, state, words) in &pipelines {
        wait_until(state, || host.status(name)["state"] == *state);
        let status = host.status(name);
        assert!(status["reason"].as_str().is_some_and(|reason| reason.contains(words)), "{name}: {status}");
        assert_eq!(status["records"]["in"], 0, "nothing is taken as delivered: {status}");
    }
}
