//! Nothing prints a secret.

use miette::{GraphicalReportHandler, GraphicalTheme};

use super::*;
use crate::config::NoVariables;

/// Everything that a person or a log might be shown of an error.
fn everything(error: &ConfigError) -> String {
    let mut drawn = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_context_lines(50);
    handler.render_report(&mut drawn, error).unwrap();
    let json = serde_json::to_string(error.problems()).unwrap();
    format!("{error}\n{error:?}\n{}\n{json}\n{drawn}", error.report())
}

#[test]
fn a_pipeline_can_be_printed() {
    let loaded = load_valid("variables.yaml");
    let printed = format!("{:?} {:#?}", loaded, loaded.pipeline);
    assert!(!printed.contains(PASSWORD), "{printed}");
    let literal = load_valid("sinks.yaml");
    assert!(!format!("{literal:?}").contains("changeme"));
}

#[test]
fn properties_show_what_is_no_secret() {
    let printed = format!("{:?}", load_valid("variables.yaml").pipeline.source.properties);
    assert_eq!(printed, r#"{"client.rack": "[redacted]", "sasl.password": "[redacted]"}"#);
    let printed = format!("{:?}", load_valid("exactly-once.yaml").pipeline.source.properties);
    assert_eq!(printed, r#"{"fetch.min.bytes": "65536", "sasl.username": "wasmill"}"#);
    let secret =
        serde_json::to_string(load_valid("variables.yaml").pipeline.source.properties.get("sasl.password").unwrap());
    assert_eq!(secret.unwrap(), r#""[redacted]""#);
}

#[test]
fn no_fixture_leaks() {
    for path in yaml_files("invalid") {
        let text = fs::read_to_string(&path).unwrap();
        let shown = everything(&load_text(&text).unwrap_err());
        assert!(!shown.contains(PASSWORD), "{}: {shown}", path.display());
    }
}

/// The drawing shows lines around a mistake: a password that stands there in clear is masked, YAML or not.
#[test]
fn literal_secrets_beside_a_mistake_are_masked() {
    let secrets = "pipeline: p\nsource:\n  kafka:\n    properties:\n      sasl.password: 'hunter2'\n      \
                   ssl.key.pem: |\n        hunter2\n        hunter2\nmodule: { config: { api_token: \"é hunter2\", \
                   nested_secret: \"${X:-hunter2}\" } }\nsinks:\n  r: { redis: { url: redis://:hunter2@h } }\n  \
                   e: { elasticsearch: { urls: [\"https://u:hunter2@h\"], api_key: hunter2 } }\n";
    let wrong = format!("{secrets}typo: 1\n");
    let shown = everything(&load_text(&wrong).unwrap_err());
    assert!(shown.contains("unknown key `typo`") && !shown.contains(PASSWORD), "{shown}");
    let no_yaml = format!("{}broken: [\n", secrets.replace("|\n        hunter2\n        hunter2", "hunter2"));
    let shown = everything(&load_text(&no_yaml).unwrap_err());
    assert!(shown.contains("sasl.password:") && !shown.contains(PASSWORD), "{shown}");
}

#[test]
fn a_caller_can_refuse_variables() {
    let text = fs::read_to_string(fixtures("valid").join("variables.yaml")).unwrap();
    let error = load(&text, "body", Path::new(BASE), &NoVariables).unwrap_err();
    assert!(error.problems().iter().any(|problem| problem.path == "source.kafka.properties[\"sasl.password\"]"));
    let other = error.problems().iter().find(|problem| !problem.message.ends_with("variables are not allowed here"));
    assert!(other.is_none(), "{other:?}");
}

#[test]
fn a_report_is_drawn_with_its_lines() {
    let text = fs::read_to_string(fixtures("invalid").join("redis.yaml")).unwrap();
    let error = load_text(&text).unwrap_err();
    let mut drawn = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(120);
    handler.render_report(&mut drawn, &error).unwrap();
    golden(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pipeline.report.txt"), &drawn);
}
