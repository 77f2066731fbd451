//! What is wrong in the settings of topic-dump, binlog-router and binlog-sync is said in a line, before anything is
//! consumed. Those of log-es and double-write are beside their other tests.

use std::process::Command;

use e2e::{Example, Topic, services, unique, wait_until};
use serde_json::json;

const NOBODY: &str = "127.0.0.1:9";

/// A topic with some records that must not be read.
fn topic() -> Topic {
    let topic = Topic::new("wrong");
    topic.write(0, (0..50).map(|number| format!("{{\"n\":{number}}}")));
    topic
}

/// A host starts with it and waits, or gives up: its state, and why, in a line that begins so.
#[track_caller]
fn says(example: &Example, state: &str, words: &[&str]) {
    let host = example.run();
    wait_until("the state", || host.status(&example.name)["state"] == state);
    // That all brokers are down may be said before why.
    let mut reason = String::new();
    wait_until(&format!("{words:?}"), || {
        reason = host.status(&example.name)["reason"].as_str().unwrap_or_default().to_owned();
        reason.starts_with(words[0]) && words.iter().all(|word| reason.contains(word))
    });
    let status = host.status(&example.name);
    assert!(!reason.contains('\n'), "{reason}");
    assert_eq!((&status["partitions"], &status["records"]["in"]), (&json!({}), &json!(0)), "{status}");
    let (log, level) = (host.log(), if state == "failed" { "ERROR" } else { "WARN" });
    let said = |line: &&str| [level, example.name.as_str()].iter().chain(words).all(|word| line.contains(*word));
    assert_eq!(log.lines().filter(said).count(), 1, "{level} {words:?} in: {log}");
}

/// The start ends with a line that says so.
#[track_caller]
fn refuses(example: &Example, words: &[&str]) {
    // A terminal's width breaks lines anywhere.
    let said = example.refused().replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?} in: {said}");
}

#[test]
fn of_topic_dump() {
    let topic = topic();
    let dump =
        |from: &str, to: &str| Example::new("topic-dump").set("FROM", from).set("TO", to).set("TOPICS", &topic.name);
    let kafka = services().kafka.as_str();
    says(&dump(NOBODY, kafka), "stalled", &["source: ", NOBODY, "refused"]);
    says(&dump(kafka, NOBODY), "stalled", &["sink `copy`: ", NOBODY, "refused"]);
    says(&dump(kafka, "nobody.invalid:9092"), "stalled", &["sink `copy`: ", "nobody.invalid:9092"]);
    refuses(&dump(kafka, "nobody"), &["expected host:port of a broker"]);
    refuses(&dump(kafka, kafka).set("PARTITION", "odd"), &["expected `key` or `keep`"]);
    refuses(&dump(kafka, kafka).set("RENAME", "orders"), &["setting `rename`", "`orders` is not TOPIC=TOPIC"]);
    refuses(&dump(kafka, kafka).set("TOPICS", "^(orders"), &["expected the name of a topic, or a pattern"]);
}

#[test]
fn of_binlog_router() {
    let topic = topic();
    let router = |kafka: &str| Example::new("binlog-router").set("KAFKA", kafka).set("TOPIC", &topic.name);
    let kafka = services().kafka.as_str();
    // Its sinks are in the source's cluster.
    says(&router(NOBODY), "stalled", &["sink `", NOBODY, "refused"]);
    says(&router("nobody.invalid:9092"), "stalled", &["sink `", "nobody.invalid:9092"]);
    let with = |from: &str, to: &str| router(kafka).replace(from, to);
    refuses(&with("insert,update", "insret,update"), &["setting `types`", "`insret` is none of"]);
    refuses(&with("region!=test", "region"), &["setting `where`", "`region` is not COLUMN=VALUE"]);
    refuses(&with("tables: \"shop.*\"", "format: mysql, tables: \"shop.*\""), &["`mysql` is no format"]);
}

#[test]
fn of_binlog_sync() {
    let topic = topic();
    let services = services();
    let sync = |elasticsearch: &str, redis: &str| {
        Example::new("binlog-sync")
            .set("KAFKA", &services.kafka)
            .set("TOPIC", &topic.name)
            .set("ES_Address", elasticsearch)
            .set("REDIS", redis)
    };
    let (elasticsearch, redis) = (services.elasticsearch.as_str(), services.redis.as_str());
    says(&sync("http://127.0.0.1:9", redis), "stalled", &["sink `documents`: ", "127.0.0.1:9", "refused"]);
    says(&sync(elasticsearch, "redis://127.0.0.1:9"), "stalled", &["sink `", NOBODY, "refused"]);
    says(&sync("http://nobody.invalid:9200", redis), "stalled", &["sink `documents`: ", "nobody.invalid"]);
    refuses(&sync("es:9200", redis), &["expected the URL of a node"]);
    refuses(&sync(elasticsearch, "http://redis"), &["expected the URL of a Redis server"]);
    let with = |from: &str, to: &str| sync(elasticsearch, redis).replace(from, to);
    refuses(&with("shop.users=people", "users=people"), &["setting `tables`", "`users=people` is not DATABASE.TABLE="]);
    refuses(&with("drop: secret", "schema: keep"), &["setting `schema`", "`keep` is neither drop nor route"]);

    let user = unique("user");
    let redis_cli = |args: &[&str]| {
        let done = Command::new("redis-cli").args(["-u", redis]).args(args).status().expect("redis-cli runs");
        assert!(done.success());
    };
    redis_cli(&["ACL", "SETUSER", &user, "on", ">right", "~*", "+@all"]);
    let wrong = redis.replace("redis://", &format!("redis://{user}:wrong@"));
    says(&sync(elasticsearch, &wrong), "failed", &["sink `", "authentication failed"]);
    redis_cli(&["ACL", "DELUSER", &user]);
}
