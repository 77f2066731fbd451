//! Row changes of a real MariaDB, by a real Maxwell, through the example `binlog-sync`: Elasticsearch and Redis hold
//! in the end what the database holds, row by row.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use e2e::{Database, Example, Host, Index, Keys, Topic, services, wait_until};
use reqwest::Method;
use serde_json::{Value, json, value::RawValue};

use crate::workload::{TABLES, Workload};

/// Kills in the middle of the workload.
const KILLS: u64 = 3;

/// Changed rows; `WASMILL_TEST_CHANGES` says another number, such as 50000, which takes some minutes.
fn changes() -> u64 {
    std::env::var("WASMILL_TEST_CHANGES").map_or(5_000, |count| count.parse().expect("a number"))
}

/// A row: the text of each column, exact; strings without their escapes, behind a quote.
type Row = BTreeMap<String, String>;

fn row(json: &str) -> Row {
    let columns: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).expect("an object");
    let text = |raw: &RawValue| match serde_json::from_str::<String>(raw.get()) {
        Ok(text) => format!("\"{text}"),
        Err(_) => raw.get().to_owned(),
    };
    columns.into_iter().map(|(name, raw)| (name, text(&raw))).collect()
}

/// The example for these tables, to indices and keys that begin with `prefix`.
fn example(database: &Database, prefix: &str, tables: &[&str]) -> Example {
    let db = &database.name;
    let tables: Vec<String> = tables.iter().map(|table| format!("{db}.{table}={prefix}-{table}")).collect();
    Example::new("binlog-sync")
        .set("KAFKA", &services().kafka)
        .set("TOPIC", &database.topic)
        .set("ES_Address", &services().elasticsearch)
        .set("REDIS", &services().redis)
        .replace("shop.orders=orders;shop.users=people", &tables.join(";"))
        .replace("shop.follows=", &format!("{db}.follows="))
        .replace("command: set, key: \"{target}", &format!("command: set, key: \"{prefix}-members:{{target}}"))
        .replace(
            "topics: [\"${TOPIC:-maxwell}\"] }",
            "topics: [\"${TOPIC:-maxwell}\"], properties: { session.timeout.ms: 6000 } }",
        )
}

/// As the README says: deletions are remembered, and nothing is guessed about columns.
fn make_indices(index: &Index, tables: &[&str]) {
    for table in tables {
        let settings = json!({
            "settings": { "index.gc_deletes": "1h" },
            "mappings": { "dynamic": false },
        });
        Index::call(Method::PUT, &format!("{}-{table}", index.name), Some(&settings));
    }
}

/// How many records the pipeline is through with, over all kills.
fn committed(host: &Host, example: &Example, topic: &str) -> u64 {
    let status = host.status(&example.name);
    let partitions = status["partitions"][topic].as_object().cloned().unwrap_or_default();
    partitions.values().filter_map(|partition| partition["committed"].as_u64()).sum()
}

/// Compares everything with the database; answers the number of rows.
#[track_caller]
fn compare(database: &Database, prefix: &str) -> usize {
    let mut rows = 0;
    for table in &TABLES {
        let target = format!("{prefix}-{}", table.name);
        let mut keys = Keys::of(&target);
        let mut documents = Index { name: target.clone() }.documents();
        let mut expected = BTreeMap::new();
        for line in database.query(&table.query()) {
            #[derive(serde::Deserialize)]
            struct Line {
                id: String,
                row: Box<RawValue>,
            }
            let line: Line = serde_json::from_str(&line).expect("JSON");
            expected.insert(line.id, line.row.get().to_owned());
        }
        let ids: Vec<&String> = expected.keys().collect();
        for (id, cached) in ids.iter().zip(keys.texts(&ids)) {
            let cached = cached.unwrap_or_else(|| panic!("{target}: {id} is missing in Redis"));
            assert_eq!(row(&cached), row(&expected[*id]), "{target}: {id} in Redis");
            let document = documents.remove(*id);
            let (_, document) = document.unwrap_or_else(|| panic!("{target}: {id} is missing in Elasticsearch"));
            let cached: Value = serde_json::from_str(&cached).expect("JSON");
            assert_eq!(document, cached, "{target}: {id} in Elasticsearch");
        }
        let there: Vec<String> = keys.all().into_iter().filter(|key| !key.ends_with(":versions")).collect();
        assert_eq!(there.len(), expected.len(), "{target}: keys of rows that are gone");
        assert_eq!(documents.keys().next(), None, "{target}: documents of rows that are gone");
        rows += expected.len();
    }

    let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in database.query("SELECT CONCAT(user_id, ' ', followed_id) FROM follows") {
        let (user, followed) = line.split_once(' ').expect("two columns");
        members.entry(user.into()).or_default().insert(followed.into());
    }
    let mut keys = Keys::of(&format!("{prefix}-members:follows"));
    let sets = keys.all().into_iter().filter(|key| !key.ends_with(":versions")).count();
    assert_eq!(sets, members.len(), "sets of users who follow nobody");
    for (user, followed) in members {
        let found: BTreeSet<String> = keys.run("SMEMBERS", &user, &[]);
        assert_eq!(found, followed, "whom {user} follows");
    }
    rows
}

#[test]
fn elasticsearch_and_redis_equal_the_database_row_by_row() {
    let changes = changes();
    let (database, index) = (Database::new("sync"), Index::new("sync"));
    let tables = TABLES.map(|table| table.name);
    make_indices(&index, &tables);
    let mut workload = Workload::new(&database, 6);
    let sync = example(&database, &index.name, &tables);
    let mut host = sync.run();
    let killed = AtomicU64::new(0);
    let written = std::thread::scope(|scope| {
        let (killed, database) = (&killed, &database);
        let writer = scope.spawn(move || {
            for part in 0..=KILLS {
                wait_until("a kill", || killed.load(Relaxed) >= part);
                database.run(&workload.statements(changes / (KILLS + 1)));
            }
            workload.changes
        });
        for kill in 1..=KILLS {
            // In the middle of what was written since the last one.
            let enough = (2 * kill - 1) * changes / (2 * (KILLS + 1));
            wait_until("changes", || committed(&host, &sync, &database.topic) >= enough);
            host.kill_and_restart();
            killed.store(kill, Relaxed);
        }
        writer.join().expect("a writer")
    });
    assert!(written >= changes);
    wait_until("the changes", || committed(&host, &sync, &database.topic) == written);
    let rows = compare(&database, &index.name);
    assert!(rows > 500, "{rows} rows are left");
    let status = host.status(&sync.name);
    assert_eq!(status["records"]["dead_lettered"], 0, "{status}");

    // All of it once more, from the first change on: nothing old comes back.
    let replay = example(&database, &index.name, &tables);
    let again = replay.run();
    wait_until("the replay", || again.through(&replay.name) == written);
    assert_eq!(compare(&database, &index.name), rows);
    let status = again.status(&replay.name);
    for sink in ["documents", "cache", "follows"] {
        let counts = &status["sinks"][sink];
        assert_eq!(counts["delivered"], counts["ignored"], "{sink} has it all: {status}");
    }
}

#[test]
fn a_bootstrap_fills_gaps_and_ddl_is_routed() {
    let (database, index) = (Database::new("boot"), Index::new("boot"));
    make_indices(&index, &["items"]);
    database
        .run("CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20)); INSERT INTO items VALUES (1, 'a'), (2, 'b')");
    let sync = example(&database, &index.name, &["items"])
        .replace("drop: secret", "schema: route")
        .replace("topics: [\"${TOPIC:-maxwell}\"]", "topics: [\"${TOPIC:-maxwell}\", maxwell-ddl]");
    let _host = sync.run();
    let mut keys = Keys::of(&format!("{}-items", index.name));
    wait_until("the rows", || keys.texts(&["1", "2"]).iter().all(Option::is_some));
    // A gap, and a row of which something newer is known than what the bootstrap will find.
    keys.run::<u8>("DEL", "1", &[]);
    keys.run::<u8>("DEL", "1:versions", &[]);
    let newer = r#"{"id":2,"name":"newer"}"#;
    keys.run::<String>("SET", "2", &[newer]);
    database.run(&format!(
        "INSERT INTO maxwell.bootstrap (database_name, table_name) VALUES ('{}', 'items')",
        database.name
    ));
    wait_until("the gap to be filled", || keys.texts(&["1"])[0].is_some());
    database.run("INSERT INTO items VALUES (3, 'c')");
    wait_until("the last row", || keys.texts(&["3"])[0].is_some());
    let texts = keys.texts(&["1", "2"]);
    assert_eq!(texts, [Some(r#"{"id":1,"name":"a"}"#.to_owned()), Some(newer.to_owned())]);

    let schema = Topic { name: format!("{}.schema", database.topic), partitions: 4 };
    let own = |record: &e2e::Read| record.value.as_ref().is_some_and(|value| value.contains(&database.name));
    let is =
        |record: &e2e::Read, kind: &str| own(record) && record.value.as_ref().is_some_and(|value| value.contains(kind));
    let expected = ["table-create", "bootstrap-start", "bootstrap-complete"];
    let read = schema.read_until(|read| expected.iter().all(|kind| read.iter().any(|record| is(record, kind))));
    assert!(!read.iter().any(|record| is(record, "\"insert\"")), "rows are no news of tables");
}
