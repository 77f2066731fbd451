//! The schema and the reference page: golden, and true.

use serde_json::{Map, Value};

use super::*;
use crate::config::schema;

#[test]
fn the_schema_is_golden() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pipeline.schema.json");
    golden(&path, &format!("{:#}\n", schema()));
}

/// `docs/pipeline.md` is written by hand up to this line; below it, from the schema.
const MARK: &str = "<!-- Below: written by the test `the_reference_page_has_every_key` from the schema. -->\n";

#[test]
fn the_reference_page_has_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pipeline.md");
    let page = fs::read_to_string(&path).unwrap();
    let (by_hand, _) = page.split_once(MARK).expect("the mark stands in the page");
    golden(&path, &format!("{by_hand}{MARK}{}", reference(&schema())));
}

/// The example in the reference page is a file that loads.
#[test]
fn the_example_of_the_page_loads() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pipeline.md")).unwrap();
    let (_, example) = page.split_once("```yaml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let loaded = load_text(example).unwrap_or_else(|error| panic!("{}", error.report()));
    assert_eq!(loaded.warnings, []);
}

/// Writing every declared default out changes nothing.
#[test]
fn declared_defaults_are_those_of_the_loader() {
    let bare = "pipeline: p\nsource: { kafka: { brokers: [k:9092], topics: [in] } }\nmodule: { ref: m@1 }\n\
                routes: { r: [e, d] }\nerrors: {}\nsinks:\n  e: { elasticsearch: { urls: [http://e], index: i } }\n  \
                d: { redis: { url: redis://r, command: string, key: k } }\ntimer: { cron: \"* * * * *\" }\n";
    let schema = schema();
    let default = |section: &str, key: &str| {
        let property = match section {
            "" => &schema["properties"][key],
            _ => &schema["$defs"][section]["properties"][key],
        };
        property["default"].clone()
    };
    let section = |name: &str| {
        let properties = schema["$defs"][name]["properties"].as_object().unwrap();
        let defaults =
            properties.keys().map(|key| (key.clone(), default(name, key))).filter(|(_, value)| !value.is_null());
        defaults.collect::<Map<_, _>>()
    };
    let mut kafka = section("KafkaSource");
    kafka.extend([("brokers".to_owned(), ["k:9092"].into()), ("topics".to_owned(), ["in"].into())]);
    kafka.insert("batch".to_owned(), section("Batch").into());
    let mut elasticsearch = section("Elasticsearch");
    elasticsearch.extend([("urls".to_owned(), ["http://e"].into()), ("index".to_owned(), "i".into())]);
    elasticsearch.insert("batch".to_owned(), section("Bulk").into());
    let mut redis = section("Redis");
    let required = [("url", "redis://r"), ("command", "string"), ("key", "k")];
    redis.extend(required.map(|(key, value)| (key.to_owned(), value.into())));
    let mut errors = section("Errors");
    errors.insert("backoff".to_owned(), section("Backoff").into());
    let mut timer = section("Timer");
    timer.insert("cron".to_owned(), "* * * * *".into());
    let written = serde_json::json!({
        "pipeline": "p",
        "source": { "kafka": kafka },
        "module": { "ref": "m@1", "limits": section("Limits") },
        "routes": { "r": ["e", "d"] },
        "sinks": { "e": { "elasticsearch": elasticsearch }, "d": { "redis": redis } },
        "delivery": default("", "delivery"),
        "errors": errors,
        "timer": timer,
        "enabled": default("", "enabled"),
    });
    let written = load_text(&written.to_string()).unwrap_or_else(|error| panic!("{}", error.report()));
    assert_eq!(written.pipeline, load_text(bare).unwrap().pipeline);

    // Of the kinds of stores there is one at a time.
    for (kind, name, required) in
        [("memory", "KeyValueMemory", None), ("redis", "KeyValueRedis", Some(("url", "redis://r")))]
    {
        let mut required: Map<_, _> = required.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        required.insert("buckets".to_owned(), serde_json::json!({ "b": {} }));
        let mut all = section(name);
        all.extend(required.clone());
        all.insert("buckets".to_owned(), serde_json::json!({ "b": section("Bucket") }));
        let grants = |store: Map<String, Value>| {
            let module = serde_json::json!({ "ref": "m@1", "grants": { "keyvalue": { kind: store } } });
            let text = bare.replace("{ ref: m@1 }", &module.to_string());
            load_text(&text).unwrap_or_else(|error| panic!("{}", error.report())).pipeline
        };
        assert_eq!(grants(all), grants(required));
    }
}

/// One table per section, from the top down, each section once.
fn reference(schema: &Value) -> String {
    let mut page = String::new();
    let mut sections = vec![("The file".to_owned(), schema.clone())];
    let mut seen = Vec::new();
    while !sections.is_empty() {
        let (title, section) = sections.remove(0);
        page.push_str(&format!("\n## {title}\n\n{}\n\n", line(&section["description"])));
        if section["properties"].as_object().is_none_or(Map::is_empty) {
            continue;
        }
        page.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
        let required: Vec<_> = section["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, property) in section["properties"].as_object().unwrap() {
            let default = match &property["default"] {
                Value::Null if required.contains(&key.as_str()) => "required".to_owned(),
                Value::Null => String::new(),
                Value::String(text) => format!("`{text}`"),
                other => format!("`{other}`"),
            };
            page.push_str(&format!(
                "| `{key}` | {} | {default} | {} |\n",
                kind(property),
                line(&property["description"])
            ));
            for name in references(property) {
                if !seen.contains(&name) {
                    sections.push((name.clone(), schema["$defs"][&name].clone()));
                    seen.push(name);
                }
            }
        }
    }
    page
}

fn line(text: &Value) -> String {
    text.as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

/// What kind of value a property takes.
fn kind(property: &Value) -> String {
    if let Some(name) = property["$ref"].as_str() {
        return link(name);
    }
    if let Some(expected) = property["$comment"].as_str() {
        return expected.trim_start_matches("a ").to_owned();
    }
    match &property["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&property["items"])),
        Value::String(name) if name == "object" => format!("name: {}", kind(&property["additionalProperties"])),
        Value::String(_) => "text".to_owned(),
        _ => "text, number or boolean".to_owned(),
    }
}

fn link(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or_default();
    format!("[{name}](#{})", name.to_ascii_lowercase())
}

/// The sections that a property leads to.
fn references(property: &Value) -> Vec<String> {
    match property {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(text) if key == "$ref" => vec![text.rsplit('/').next().unwrap_or_default().to_owned()],
                other => references(other),
            })
            .collect(),
        _ => Vec::new(),
    }
}
