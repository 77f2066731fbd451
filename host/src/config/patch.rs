//! Changes to the text of a pipeline: JSON Merge Patch (RFC 7396) on what it says, with its variables left as they stand.
//!
//! The result is JSON, which the loader reads as it reads YAML; comments and anchors are gone. Nothing is validated
//! here: whoever patches loads what came out.

use std::path::Path;

use serde_json::{Map, Value};

use super::{
    document::{self, Content, Document, NodeId},
    problem::ConfigError,
    variables::Resolve,
};

/// Where the controls of the trigger stand in the text: what is changed while the pipeline runs, without a release.
const CONTROLS: [&[&str]; 6] = [
    &["enabled"],
    &["timer"],
    &["source", "kafka", "start"],
    &["source", "kafka", "batch"],
    &["errors", "retries"],
    &["errors", "backoff"],
];

/// The text with a merge patch applied: members of the patch replace, objects are merged, null takes away.
///
/// # Errors
/// The text is no YAML.
pub fn patch(text: &str, patch: &Map<String, Value>) -> Result<String, ConfigError> {
    let mut value = tree(text)?;
    merge(&mut value, &Value::Object(patch.clone()));
    Ok(format!("{value:#}"))
}

/// The text with the controls of another one.
///
/// # Errors
/// One of the texts is no YAML.
pub fn with_controls_of(text: &str, other: &str) -> Result<String, ConfigError> {
    let (mut value, other) = (tree(text)?, tree(other)?);
    for path in CONTROLS {
        let control = path.iter().try_fold(&other, |value, key| value.get(key)).unwrap_or(&Value::Null);
        // Taken away first: a merge would leave members that the other text does not have.
        for control in [&Value::Null, control] {
            let patch = path.iter().rev().fold(control.clone(), |value, key| serde_json::json!({ (*key): value }));
            merge(&mut value, &patch);
        }
    }
    Ok(format!("{value:#}"))
}

/// RFC 7396, section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// What a text says, as JSON.
fn tree(text: &str) -> Result<Value, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = document::parse(text, Path::new(""), &Unread)
        .map_err(|problem| ConfigError::new("the pipeline", document::mask_lines(text), vec![problem]))?;
    Ok(value(&document, Document::ROOT))
}

fn value(document: &Document, node: NodeId) -> Value {
    match document.content(node) {
        Content::Null => Value::Null,
        Content::List(items) => items.iter().map(|item| value(document, *item)).collect(),
        Content::Map(entries) => {
            let members = entries.iter().map(|(key, node)| (key.clone(), value(document, *node)));
            Value::Object(members.collect())
        }
        Content::Scalar(scalar) => single(&scalar.written()),
    }
}

/// Numbers and truth values as such where nothing is lost by it: `1.10` is a version as often as a number.
fn single(text: &str) -> Value {
    match (text, text.parse::<i64>()) {
        ("true", _) => Value::Bool(true),
        ("false", _) => Value::Bool(false),
        (text, Ok(number)) if number.to_string() == text => number.into(),
        _ => Value::String(text.to_owned()),
    }
}

/// Answers variables with nothing: what counts is how they are written.
struct Unread;

impl Resolve for Unread {
    fn variable(&self, _name: &str) -> Result<Option<String>, String> {
        Ok(Some(String::new()))
    }

    fn file(&self, _path: &Path) -> Result<String, String> {
        Ok(String::new())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(text: &str, with: Value) -> Value {
        let Value::Object(with) = with else { panic!("an object") };
        serde_json::from_str(&patch(text, &with).unwrap()).unwrap()
    }

    /// The examples of RFC 7396, appendix A, whose patch is an object.
    #[test]
    fn merges_as_the_rfc_says() {
        let table = [
            (r#"{"a":"b"}"#, json!({"a":"c"}), json!({"a":"c"})),
            (r#"{"a":"b"}"#, json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (r#"{"a":"b"}"#, json!({"a":null}), json!({})),
            (r#"{"a":"b","b":"c"}"#, json!({"a":null}), json!({"b":"c"})),
            (r#"{"a":["b"]}"#, json!({"a":"c"}), json!({"a":"c"})),
            (r#"{"a":"c"}"#, json!({"a":["b"]}), json!({"a":["b"]})),
            (r#"{"a":{"b":"c"}}"#, json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (r#"{"a":[{"b":"c"}]}"#, json!({"a":[1]}), json!({"a":[1]})),
            (r#"{"e":null}"#, json!({"a":1}), json!({"e":null,"a":1})),
            (r#"["c"]"#, json!({"a":"b"}), json!({"a":"b"})),
            ("{}", json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (text, with, expected) in table {
            assert_eq!(patched(text, with.clone()), expected, "{text} {with}");
        }
    }

    #[test]
    fn what_is_not_patched_stays_as_it_was_written() {
        let text =
            "a: ${VAR:-x}/$${literal}\nversion: 1.10\nnumber: 007\nquoted: \"12\"\non: &l [true, ~]\nagain: *l\n";
        let expected = json!({
            "a": "${VAR:-x}/$${literal}", "version": "1.10", "number": "007", "quoted": 12, "on": [true, null],
            "again": [true, null], "new": 1,
        });
        assert_eq!(patched(text, json!({ "new": 1 })), expected);
    }

    #[test]
    fn controls_move_from_one_text_to_another_and_nothing_else_does() {
        let old = "module: {ref: a@1}\nsource: {kafka: {topics: [t], batch: {records: 5, bytes: 1MiB}}}\n\
                   errors: {retries: 3, dead_letter: {kafka: {topic: d}}}\ntimer: {every: 1m}\n";
        let new = "module: {ref: b@2}\nsource: {kafka: {topics: [u], batch: {linger: 1s}}}\nenabled: false\n";
        let both: Value = serde_json::from_str(&with_controls_of(old, new).unwrap()).unwrap();
        let expected = json!({
            "module": { "ref": "a@1" },
            "source": { "kafka": { "topics": ["t"], "batch": { "linger": "1s" } } },
            "errors": { "dead_letter": { "kafka": { "topic": "d" } } },
            "enabled": false,
        });
        assert_eq!(both, expected);
    }
}
