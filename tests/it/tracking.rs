//! Events through the example `tracking`: joined with their items, each once, and counted, whatever becomes of the host
//! and of Redis.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use e2e::{Example, Host, Keys, OwnRedis, Read, Topic, services, unique, wait_until};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

const ITEMS: u64 = 50;
const ACTIONS: [&str; 4] = ["view", "cart", "buy", "wave"];

/// Those that the example's file counts.
const COUNTED: [&str; 3] = ["view", "cart", "buy"];

/// Events, and records of which a third repeat one of them.
struct Model {
    /// By id: user, item and action.
    events: BTreeMap<String, (String, u64, &'static str)>,
    records: Vec<String>,
}

impl Model {
    fn new(records: usize, seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut model = Self { events: BTreeMap::new(), records: Vec::with_capacity(records) };
        while model.records.len() < records {
            if !model.records.is_empty() && chance.random_ratio(1, 3) {
                // Soon after, as a client that heard no answer repeats itself, or any time later.
                let count = model.records.len();
                let back = if chance.random_ratio(1, 2) { count.min(20) } else { count };
                model.records.push(model.records[count - 1 - chance.random_range(0..back)].clone());
                continue;
            }
            let id = format!("e-{seed}-{}", model.records.len());
            let (user, item) = (format!("u{}", chance.random_range(0..500)), chance.random_range(0..ITEMS));
            let action = ACTIONS[chance.random_range(0..ACTIONS.len())];
            model.records.push(json!({ "id": id, "user": user, "item": item, "action": action }).to_string());
            model.events.insert(id, (user, item, action));
        }
        model
    }

    /// By item, then by action.
    fn counts(&self) -> BTreeMap<u64, HashMap<String, u64>> {
        let mut counts: BTreeMap<u64, HashMap<String, u64>> = BTreeMap::new();
        for (_, item, action) in self.events.values().filter(|(.., action)| COUNTED.contains(action)) {
            *counts.entry(*item).or_default().entry((*action).to_owned()).or_default() += 1;
        }
        counts
    }

    /// Every event came out with its item, under its user; answers how often each one came.
    #[track_caller]
    fn compare(&self, read: &[Read]) -> BTreeMap<String, usize> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for record in read {
            let value: Value = serde_json::from_str(record.value.as_deref().expect("a value")).expect("JSON");
            let id = value["id"].as_str().expect("an id").to_owned();
            let (user, item, action) = &self.events[&id];
            assert_eq!(record.key.as_deref(), Some(user.as_str()));
            // Every tenth is unknown.
            let product = if item % 10 == 9 { Value::Null } else { product(*item) };
            let expected = json!({ "id": id, "user": user, "item": item, "action": action, "product": product });
            assert_eq!(value, expected);
            *seen.entry(id).or_default() += 1;
        }
        let missing: Vec<&String> = self.events.keys().filter(|id| !seen.contains_key(*id)).take(5).collect();
        assert_eq!(missing, Vec::<&String>::new(), "{} of {} events", seen.len(), self.events.len());
        seen
    }
}

fn id_of(record: &str) -> String {
    let value: Value = serde_json::from_str(record).expect("JSON");
    value["id"].as_str().expect("an id").to_owned()
}

fn product(item: u64) -> Value {
    json!({ "category": format!("c{}", item % 7), "price": item as f64 + 0.5 })
}

fn example(from: &Topic, redis: &str, prefix: &str) -> Example {
    Example::new("tracking")
        .set("KAFKA", &services().kafka)
        .set("TOPIC", &from.name)
        .set("REDIS", redis)
        .set("PREFIX", prefix)
        .replace(
            "topics: [\"${TOPIC:-events}\"] }",
            "topics: [\"${TOPIC:-events}\"], batch: { records: 200 }, properties: { session.timeout.ms: 6000 } }",
        )
}

fn enriched(from: &Topic) -> Topic {
    Topic { name: format!("{}.enriched", from.name), partitions: 4 }
}

fn fill(keys: &mut Keys) {
    for item in (0..ITEMS).filter(|item| item % 10 != 9) {
        keys.run::<String>("SET", &format!("items:{item}"), &[&product(item).to_string()]);
    }
}

#[track_caller]
fn compare_counts(keys: &mut Keys, model: &Model) {
    let expected = model.counts();
    for item in 0..ITEMS {
        let counts: HashMap<String, u64> = keys.run("HGETALL", &format!("counts:{item}"), &[]);
        assert_eq!(counts, expected.get(&item).cloned().unwrap_or_default(), "item {item}");
    }
}

/// How many records the pipeline is through with, over all kills.
fn committed(host: &Host, example: &Example, from: &Topic) -> u64 {
    let status = host.status(&example.name);
    let partitions = status["partitions"][&from.name].as_object().cloned().unwrap_or_default();
    partitions.values().filter_map(|partition| partition["committed"].as_u64()).sum()
}

#[test]
fn each_event_once_with_its_item_and_counted_over_kills() {
    const RECORDS: usize = 30_000;
    const KILLS: usize = 3;
    let from = Topic::new("events");
    let mut keys = Keys::new("tracking");
    fill(&mut keys);
    let model = Model::new(RECORDS, 1);
    let tracking = example(&from, &services().redis, &keys.prefix);
    let mut host = tracking.run();
    let mut begins = Vec::new();
    // The last part is for the host that nobody kills.
    let parts = model.records.chunks(RECORDS / (KILLS + 1));
    for (part, records) in parts.enumerate() {
        let begin = (part * records.len()) as u64;
        std::thread::scope(|scope| {
            scope.spawn(|| from.write(begin, records.iter().cloned()));
            if part < KILLS {
                wait_until("records", || committed(&host, &tracking, &from) > begin);
                host.kill();
                begins.push(from.committed(&format!("wasmill.{}", tracking.name)));
                host.restart();
            }
        });
    }
    wait_until("the records", || committed(&host, &tracking, &from) == RECORDS as u64);
    let came = model.compare(&enriched(&from).read_all());
    // A kill brings again what lay above the group's offset, and no more than that.
    let mut allowed: BTreeMap<String, usize> = model.events.keys().map(|id| (id.clone(), 1)).collect();
    for begin in &begins {
        let above = model.records.iter().enumerate().filter(|(number, _)| {
            let (partition, offset) = (number % from.partitions as usize, number / from.partitions as usize);
            offset as i64 >= begin[partition]
        });
        for id in above.map(|(_, record)| id_of(record)).collect::<BTreeSet<String>>() {
            *allowed.entry(id).or_default() += 1;
        }
    }
    let too_often: Vec<_> = came.iter().filter(|(id, came)| **came > allowed[*id]).take(5).collect();
    assert!(too_often.is_empty(), "{too_often:?}, killed at {begins:?}");
    compare_counts(&mut keys, &model);
    let marks = keys.all().into_iter().filter(|key| key.contains(":seen:")).count();
    assert_eq!(marks, model.events.len(), "one mark for each event, and none twice");
    assert!(keys.run::<i64>("PTTL", &format!("seen:{}", model.events.keys().next().expect("one")), &[]) > 0);
    let status = host.status(&tracking.name);
    assert_eq!(status["records"]["dead_lettered"], 0, "{status}");
    let store = &status["keyvalue"];
    assert!(store["operations"]["get"].as_u64() > Some(0) && store["misses"].as_u64() > Some(0), "{status}");
}

#[test]
fn a_redis_that_hangs_or_starts_anew_loses_nothing_and_moves_no_partition() {
    const RECORDS: usize = 12_000;
    let (from, redis) = (Topic::new("events"), OwnRedis::start());
    let prefix = unique("tracking");
    let mut keys = Keys::at(&redis.url, &prefix);
    fill(&mut keys);
    let model = Model::new(RECORDS, 2);
    // The counters are elsewhere: what holds the pipeline up is the module's store alone.
    let mut counters = Keys::of(&prefix);
    let tracking = example(&from, &redis.url, &prefix)
        .replace(
            "redis: { url: \"${REDIS:-redis://127.0.0.1:6379}\", command",
            "redis: { url: \"${COUNTERS}\", command",
        )
        .replace("prefix:", "timeout: 300ms\n        prefix:")
        .set("COUNTERS", &services().redis);
    let host = tracking.run();
    let (begin, rest) = model.records.split_at(RECORDS / 3);
    let (middle, end) = rest.split_at(RECORDS / 3);
    from.write(0, begin.iter().cloned());
    wait_until("the first records", || host.through(&tracking.name) == begin.len() as u64);

    redis.signal("STOP");
    from.write(begin.len() as u64, middle.iter().cloned());
    wait_until("the stall", || host.status(&tracking.name)["state"] == "stalled");
    let status = host.status(&tracking.name);
    let reason = status["reason"].as_str().expect("a reason");
    let address = redis.url.trim_start_matches("redis://");
    assert!(reason.contains("the key-value store") && reason.contains(address), "{reason}");
    assert!(reason.contains("no answer within 300ms"), "{reason}");
    assert_eq!(status["records"]["dead_lettered"], 0, "{status}");
    redis.signal("CONT");
    wait_until("the second part", || host.through(&tracking.name) == (begin.len() + middle.len()) as u64);

    std::thread::scope(|scope| {
        scope.spawn(|| from.write((begin.len() + middle.len()) as u64, end.iter().cloned()));
        redis.restart("KILL");
    });
    wait_until("the records", || host.through(&tracking.name) == RECORDS as u64);
    let status = host.status(&tracking.name);
    assert_eq!((&status["state"], &status["rebalances"]), (&json!("running"), &json!(1)), "{status}");
    assert!(status["records"]["retried"].as_u64() > Some(0), "{status}");
    assert_eq!(status["records"]["dead_lettered"], 0, "{status}");
    let came = model.compare(&enriched(&from).read_all());
    assert!(came.values().all(|came| *came == 1), "nothing was restarted, so nothing comes twice: {came:?}");
    compare_counts(&mut counters, &model);
}

#[test]
fn the_store_in_memory_finds_repetitions_too_and_forgets_the_oldest() {
    const RECORDS: usize = 6_000;
    const WINDOW: usize = 500;
    let (from, prefix) = (Topic::new("events"), unique("tracking"));
    let memory = format!("memory:\n        entries: {WINDOW}\n        buckets:");
    let tracking = example(&from, &services().redis, &prefix)
        .replace("redis:\n        url: \"${REDIS:-redis://127.0.0.1:6379}\"\n        prefix: \"${PREFIX:-tracking}:\"\n        buckets:", &memory);
    let host = tracking.run();
    // Each event twice in a row, in one partition.
    let event = |number: usize| json!({ "id": number / 2, "item": 1, "action": "view" }).to_string();
    from.write_in(0, (0..RECORDS).map(event));
    wait_until("the records", || host.through(&tracking.name) == RECORDS as u64);
    assert_eq!(enriched(&from).read_all().len(), RECORDS / 2);
    let mut keys = Keys::of(&prefix);
    assert_eq!(keys.run::<u64>("HGET", "counts:1", &["view"]), RECORDS as u64 / 2);
    let status = host.status(&tracking.name);
    assert_eq!(status["keyvalue"]["entries"], WINDOW, "{status}");
    // A swap to the same grants goes on with the same store; what was forgotten is new again.
    host.cli(&["deploy", &tracking.name, "--config", "unknown=pass"]).ok();
    from.write_in(0, [RECORDS - 1, 0].into_iter().map(event));
    wait_until("two more", || host.through(&tracking.name) == RECORDS as u64 + 2);
    assert_eq!(enriched(&from).read_all().len(), RECORDS / 2 + 1);
    let gaps = &host.status(&tracking.name)["swap_gaps"];
    assert_eq!(gaps["swaps"], 1, "{gaps}");
    let parts = ["gap", "swap", "ordinary", "by_chance"];
    assert!(parts.iter().all(|name| gaps[*name]["p99_ms"].as_f64() > Some(0.0)), "{gaps}");
}

/// The line of a log that says why.
#[track_caller]
fn one_line(said: &str, words: &[&str]) {
    let lines = said.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!(lines, 1, "{words:?} in: {said}");
}

#[test]
fn wrong_settings_are_said_in_a_line_before_anything_is_consumed() {
    let (from, redis) = (Topic::new("events"), &services().redis);
    let one = || example(&from, redis, &unique("wrong"));
    let granted = "redis:\n        url: \"${REDIS:-redis://127.0.0.1:6379}\"";
    from.write(0, Model::new(10, 3).records.into_iter());

    let ungranted = one();
    let file = std::fs::read_to_string(&ungranted.file).expect("a file");
    let (begin, rest) = file.split_once("  grants:\n").expect("grants");
    let (_, end) = rest.split_once("\nroutes:").expect("routes");
    std::fs::write(&ungranted.file, format!("{begin}routes:{end}")).expect("written");
    one_line(&ungranted.refused(), &["imports `wasi:keyvalue/", "does not grant", "add `grants: { keyvalue:"]);

    let bucket = one().replace("items: { read_only: true }", "things: { read_only: true }");
    one_line(&bucket.refused(), &["refuses its config", "grants no such bucket"]);

    let url = one().replace(granted, "redis:\n        url: \"http://127.0.0.1:6379\"");
    one_line(&url.refused(), &["expected the URL of a Redis server"]);

    let nobody = one().replace(granted, "redis:\n        url: \"redis://:hunter2@127.0.0.1:9\"");
    let host = nobody.run();
    wait_until("the state", || host.status(&nobody.name)["state"] == "stalled");
    let status = host.status(&nobody.name);
    let reason = status["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("grant `keyvalue`: 127.0.0.1:9: ") && reason.contains("refused"), "{status}");
    assert_eq!((&status["partitions"], &status["records"]["in"]), (&json!({}), &json!(0)), "{status}");
    one_line(&host.log(), &["WARN", "grant `keyvalue`: 127.0.0.1:9: ", "nothing is read before"]);
    assert!(!host.log().contains("hunter2"));
    drop(host);

    let wrong = redis.replace("redis://", "redis://somebody:hunter2@");
    let password = one().replace(granted, &format!("redis:\n        url: \"{wrong}\""));
    let host = password.run();
    wait_until("the refusal", || host.status(&password.name)["state"] == "failed");
    let status = host.status(&password.name);
    let reason = status["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("grant `keyvalue`: ") && reason.contains("Password authentication failed"), "{status}");
    assert_eq!((&status["partitions"], &status["records"]["in"]), (&json!({}), &json!(0)), "{status}");
    one_line(&host.log(), &["ERROR", "Password authentication failed"]);
    assert!(!host.log().contains("hunter2"));
}
