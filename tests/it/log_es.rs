//! Log cleansing into Elasticsearch, as the README of the example starts it.

use std::{collections::BTreeMap, process::Command};

use e2e::{Example, Index, Topic, beside, services, timestamp, unique, wait_until};
use serde_json::{Value, json};

/// Records of each part.
const PART: u64 = 400;

/// First numbers of the parts: each lies in another hour, the last on another day.
const PARTS: [(u64, &str, &str); 3] =
    [(0, "2023.11.14", "22"), (100_000, "2023.11.14", "23"), (190_000, "2023.11.15", "00")];

fn is_json(number: u64) -> bool {
    !number.is_multiple_of(10)
}

fn line(number: u64) -> String {
    if !is_json(number) {
        return format!("GET /{number} \"no\" JSON");
    }
    format!(
        r#"{{"n":{number},"name":"x","user":{{"id":{number},"password":"x"}},"items":[{{"token":"x","at":1}}],"text":"ä"}}"#
    )
}

fn cleansed(number: u64) -> Value {
    match is_json(number) {
        true => json!({ "n": number, "user": { "id": number }, "items": [{ "at": 1 }], "text": "ä" }),
        false => json!({ "message": line(number) }),
    }
}

fn example(from: &Topic, index: &Index) -> Example {
    Example::new("log-es")
        .set("KAFKA", &services().kafka)
        .set("TOPIC", &from.name)
        .set("ES_Address", &services().elasticsearch)
        .set("ES_Index_KeyWord", &index.name)
        .set("ES_Log_IgnoreWord", "name, user.password,items.token")
}

#[test]
fn lines_are_cleansed_into_an_index_per_day_or_hour() {
    let from = Topic::new("logs");
    let (days, hours) = (Index::new("days"), Index::new("hours"));
    let by_day = example(&from, &days);
    let by_hour = example(&from, &hours).set("ES_Index_TimeFormat", "hour").set("NOT_JSON", "reject");
    let hosts = [by_day.run(), by_hour.run()];
    for (first, _, _) in PARTS {
        assert_eq!(from.write(first, (first..first + PART).map(line)), PART);
    }
    for (host, example) in hosts.iter().zip([&by_day, &by_hour]) {
        wait_until("the records", || host.through(&example.name) == PARTS.len() as u64 * PART);
    }
    let (mut by_day, mut by_hour) = (BTreeMap::new(), BTreeMap::new());
    for (part, (first, day, hour)) in (0..).zip(PARTS) {
        for number in first..first + PART {
            let id = format!("{}-{}-{}", from.name, number % 4, (part * PART + number - first) / 4);
            by_day.insert(id.clone(), (format!("{}-{day}", days.name), cleansed(number)));
            if is_json(number) {
                by_hour.insert(id, (format!("{}-{day}.{hour}", hours.name), cleansed(number)));
            }
        }
    }
    assert_eq!(days.documents(), by_day);
    assert_eq!(hours.documents(), by_hour);

    let dead = Topic { name: format!("{}.dead", from.name), partitions: 4 };
    let letters = dead.read_all();
    let rejected = PARTS.iter().flat_map(|(first, ..)| *first..first + PART).filter(|number| !is_json(*number));
    let mut expected: Vec<_> = rejected.map(|number| (timestamp(number), line(number))).collect();
    expected.sort();
    let mut found: Vec<_> =
        letters.iter().map(|letter| (letter.timestamp, letter.value.clone().unwrap_or_default())).collect();
    found.sort();
    assert_eq!(found, expected);
    let reason = &letters[0].headers["__connect.errors.exception.message"];
    assert!(reason.starts_with("not a JSON object"), "{reason}");
}

#[test]
fn elasticsearch_with_tls_and_a_password() {
    let (from, index) = (Topic::new("logs"), Index::new("secured"));
    let found = beside(&["secured"]);
    let (url, ca) = (&found["WASMILL_TEST_SECURED"], &found["WASMILL_TEST_SECURED_CA"]);
    let ask = |method: &str, path: &str| -> Value {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--cacert", ca, "-u", "wasmill:wasmill-secret", "-X", method, &format!("{url}/{path}")]);
        serde_json::from_slice(&curl.output().expect("curl runs").stdout).expect("JSON")
    };
    let secured = || example(&from, &index).set("ES_Address", url).set("ES_CA", ca).set("ES_User", "wasmill");

    // A wrong password: said at once, without a single record, and nothing is consumed.
    let wrong = secured().set("ES_Password", "wrong");
    let host = wrong.run();
    wait_until("the refusal", || host.status(&wrong.name)["state"] == "failed");
    let reason = host.status(&wrong.name)["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("sink `") && reason.contains("401"), "{reason}");
    from.write(0, (0..PART).map(line));
    assert_eq!(host.status(&wrong.name)["partitions"], json!({}), "it has not joined its group");

    // The same host with the right one: all of it arrives.
    let group = format!("wasmill.{}", wrong.name);
    drop(host);
    let right = secured().set("ES_Password", "wasmill-secret").replace("topics:", &format!("group: {group}, topics:"));
    let host = right.run();
    wait_until("the records", || host.through(&right.name) == PART);
    ask("POST", &format!("{}*/_refresh", index.name));
    assert_eq!(ask("GET", &format!("{}*/_count", index.name))["count"], PART);
}

/// The line of a log that says why.
#[track_caller]
fn one_line<'a>(said: &'a str, words: &[&str]) -> &'a str {
    let lines: Vec<&str> = said.lines().filter(|line| words.iter().all(|word| line.contains(word))).collect();
    assert_eq!(lines.len(), 1, "{words:?} in: {said}");
    lines[0]
}

#[test]
fn wrong_settings_are_said_in_a_line_before_anything_is_consumed() {
    let (from, index) = (Topic::new("logs"), Index::new("wrong"));
    let kafka = |example: Example| example.set("KAFKA", &services().kafka).set("TOPIC", &from.name);
    let without = kafka(Example::new("log-es")).set("ES_Index_KeyWord", &index.name);
    let said = without.refused();
    assert!(said.contains("ES_Address") && said.contains("not set"), "{said}");
    let without = kafka(Example::new("log-es")).set("ES_Address", "http://127.0.0.1:9");
    one_line(&without.refused(), &["ES_Index_KeyWord", "not set"]);
    let format = example(&from, &index).set("ES_Index_TimeFormat", "week");
    one_line(&format.refused(), &["`ES_Index_TimeFormat`", "`week` is neither day nor hour"]);
    let address = example(&from, &index).set("ES_Address", "es:9200");
    let said = address.refused();
    assert!(said.contains("expected the URL of a node"), "{said}");

    let nobody = example(&from, &index).set("ES_Address", "http://127.0.0.1:9");
    let host = nobody.run();
    wait_until("the state", || host.status(&nobody.name)["state"] == "stalled");
    from.write(0, (0..PART).map(line));
    let status = host.status(&nobody.name);
    assert!(status["reason"].as_str().is_some_and(|reason| reason.contains("http://127.0.0.1:9/: ")), "{status}");
    assert_eq!((&status["partitions"], &status["records"]["in"]), (&json!({}), &json!(0)), "{status}");
    one_line(&host.log(), &["WARN", "http://127.0.0.1:9/: ", "refused"]);
    drop(host);

    let elsewhere = example(&from, &index).set("ES_Address", format!("http://{}.invalid:9200", unique("es")));
    let host = elsewhere.run();
    wait_until("the state", || host.status(&elsewhere.name)["state"] == "stalled");
    one_line(&host.log(), &["WARN", ".invalid:9200/: ", "nothing is read before every server answers"]);
}
