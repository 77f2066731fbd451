//! `docs/openapi.json` is what the host serves, and nothing is served that is not in it.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use wasmill::admin::openapi;

#[test]
fn the_document_is_golden() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let actual = format!("{:#}\n", openapi());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &actual).expect("written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "docs/openapi.json differs (UPDATE_GOLDEN=1 writes it anew):\n{}",
        similar::TextDiff::from_lines(&expected, &actual).unified_diff()
    );
}

/// The router's own list is what the document is made of; this looks at the sources for a call that went past it.
#[test]
fn every_route_of_the_router_is_in_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin");
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let sources: Vec<String> = files.map(|path| fs::read_to_string(path).expect("text")).collect();
    let mut written = 0;
    for source in &sources {
        for way_past in [".route(", ".nest(", ".nest_service(", ".route_service("] {
            assert!(!source.contains(way_past), "`{way_past}` serves what the document does not know: use `routes!`");
        }
        written += source.matches("#[utoipa::path(").count();
    }
    let document = openapi();
    let paths = document["paths"].as_object().expect("paths");
    let methods = paths.values().map(|path| path.as_object().expect("methods").len());
    assert_eq!(methods.sum::<usize>(), written, "a handler is written and not routed, or two have one place");
}

#[test]
fn every_reference_leads_somewhere_and_every_parameter_is_declared() {
    let document = openapi();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 5, "{references:?}");
    for reference in references {
        let place = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
    }
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, call) in methods.as_object().expect("methods") {
            let named = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let declared = call["parameters"].as_array().into_iter().flatten();
            let declared = declared.filter(|parameter| parameter["in"] == "path").map(|parameter| &parameter["name"]);
            assert!(named.eq(declared.map(|name| name.as_str().expect("a name"))), "{method} {path}");
        }
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
