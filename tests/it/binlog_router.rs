//! Row changes of a real MariaDB, by a real Maxwell, sent to a topic per table by the example `binlog-router`.

use std::collections::BTreeMap;

use e2e::{Database, Example, Host, Topic, services, timestamp, unique, wait_until};
use serde_json::Value;

use crate::workload::{TABLES, Workload};

fn example(database: &str, topic: &str) -> Example {
    Example::new("binlog-router").set("KAFKA", &services().kafka).set("TOPIC", topic).replace(
        "tables: \"shop.*\", ignore: \"shop.tmp_*\"",
        &format!("tables: \"{database}.*\", ignore: \"{database}.tmp_*\""),
    )
}

fn changes_of(topic: &Topic) -> Vec<(String, Value)> {
    let read = topic.read_all();
    let change = |record: &e2e::Read| serde_json::from_str(record.value.as_deref().expect("a value")).expect("JSON");
    read.iter().map(|record| (record.key.clone().expect("a key"), change(record))).collect()
}

/// Where a change stands in the binlog; of the last row of a transaction Maxwell tells no number.
fn position(change: &Value) -> (u64, u64) {
    let (_, at) = change["position"].as_str().and_then(|position| position.split_once(':')).expect("a position");
    (at.parse().expect("an offset"), change["xoffset"].as_u64().unwrap_or(u64::MAX))
}

/// Whether a change is under the key that its row has now, rather than under the one that it left.
fn is_own(key: &str, change: &Value) -> bool {
    let columns = change["primary_key_columns"].as_array().expect("columns");
    let text = |column: &Value| match &change["data"][column.as_str().expect("a name")] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    columns.iter().map(text).collect::<Vec<_>>().join("|") == key
}

/// The rows of a table by whoever follows its topic: `seq` by key. A row's own changes come in order. That a row left a
/// key comes from the partition of the new key, so for that one the position decides.
fn follow(changes: &[(String, Value)]) -> BTreeMap<String, u64> {
    let mut newest: BTreeMap<&str, ((u64, u64), Option<u64>)> = BTreeMap::new();
    let mut own: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (key, change) in changes {
        let (at, is_own) = (position(change), is_own(key, change));
        if is_own {
            let before = own.insert(key, at);
            assert!(before < Some(at), "{key}: {before:?} before {at:?}");
        }
        let stays = is_own && change["type"] != "delete";
        let row = stays.then(|| change["data"]["seq"].as_u64().expect("a number"));
        if newest.get(key.as_str()).is_none_or(|(known, _)| *known < at) {
            newest.insert(key, (at, row));
        }
    }
    newest.into_iter().filter_map(|(key, (_, row))| Some((key.to_owned(), row?))).collect()
}

#[test]
fn each_table_has_its_topic_in_which_every_key_keeps_its_order() {
    let database = Database::new("router");
    database.run(
        "CREATE TABLE tmp_a (id INT PRIMARY KEY); INSERT INTO tmp_a VALUES (1);
         CREATE TABLE sales (id INT PRIMARY KEY, region VARCHAR(9), seq INT);
         INSERT INTO sales VALUES (1, 'eu', 1), (2, 'test', 2), (3, NULL, 3)",
    );
    let mut workload = Workload::new(&database, 7);
    let router = example(&database.name, &database.topic);
    let router = router.replace("topics: [\"${TOPIC:-maxwell}\"]", "topics: [\"${TOPIC:-maxwell}\", maxwell-ddl]");
    let host = router.run();
    database.run(&workload.statements(4000));
    // tmp_a and sales; news of tables come to another topic.
    let records = workload.changes + 4;
    let topic = |table: &str| Topic { name: format!("{}.{table}", database.name), partitions: 4 };
    let committed = |host: &Host| {
        let status = host.status(&router.name);
        let partitions = status["partitions"][&database.topic].as_object().cloned().unwrap_or_default();
        partitions.values().filter_map(|partition| partition["committed"].as_u64()).sum::<u64>()
    };
    wait_until("the changes", || committed(&host) == records);
    for table in &TABLES {
        let changes = changes_of(&topic(table.name));
        let expected: BTreeMap<String, u64> = database
            .query(&table.query())
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .map(|line| (line["id"].as_str().expect("an id").into(), line["row"]["seq"].as_u64().expect("a number")))
            .collect();
        assert_eq!(follow(&changes), expected, "{}", table.name);
    }
    let sales: BTreeMap<String, u64> = follow(&changes_of(&topic("sales")));
    assert_eq!(sales, BTreeMap::from([("1".into(), 1), ("3".into(), 3)]), "those of region test are not wanted");
    let status = host.status(&router.name);
    assert_eq!(status["records"]["dead_lettered"], 0, "{status}");
    let schema = Topic { name: format!("{}.schema", database.topic), partitions: 4 };
    // Of the database, of the five tables and of `sales`; that of `tmp_a` is not wanted.
    let own = format!("\"database\":\"{}\"", database.name);
    let news = schema.read_until(|read| read.len() >= 7);
    let wanted = |value: &String| value.contains(&own) && value.contains("-create\"") && !value.contains("tmp_a");
    assert!(news.iter().all(|record| record.value.as_ref().is_some_and(wanted)), "{news:?}");
}

#[test]
fn at_full_speed_it_takes_little_memory() {
    const RECORDS: u64 = 400_000;
    const MEMORY_MAX: u64 = 128 << 20;
    let (from, database) = (Topic::new("maxwell"), unique("db").replace('-', "_"));
    let line = |number: u64| {
        let (ts, at) = (timestamp(number) / 1000, 4 + number * 60);
        format!(
            r#"{{"database":"{database}","table":"sales","type":"update","ts":{ts},"xid":{number},"xoffset":0,"position":"master.000001:{at}","primary_key_columns":["id"],"data":{{"id":{},"region":"eu","price":9.90,"note":"some text of a usual length"}},"old":{{"price":10.00}}}}"#,
            number % 5000
        )
    };
    from.write(0, (0..RECORDS).map(line));
    let router = example(&database, &from.name);
    let host = router.run();
    let mut most = 0;
    wait_until("the records", || {
        most = most.max(host.memory());
        host.through(&router.name) == RECORDS
    });
    assert!(most <= MEMORY_MAX, "{} MiB", most >> 20);
    assert!(!host.may_have_huge_pages());
}
