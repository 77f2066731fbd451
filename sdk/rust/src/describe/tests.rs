use super::*;

fn config(settings: &[(&str, &str)]) -> Config {
    Config { settings: settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect() }
}

#[test]
fn a_description_says_which_settings_there_are() {
    let said = Describe::new("router", "1.2.0")
        .summary("Sends records where they belong.")
        .required("field", "what to look at")
        .optional("target", "where to")
        .default("other", "the rest", "else")
        .raw;
    assert_eq!((said.name.as_str(), said.version.as_str()), ("router", "1.2.0"));
    assert_eq!(said.summary, "Sends records where they belong.");
    let settings: Vec<_> = said
        .settings
        .iter()
        .map(|setting| (setting.name.as_str(), setting.summary.as_str(), setting.default.as_deref(), setting.required))
        .collect();
    assert_eq!(
        settings,
        [
            ("field", "what to look at", None, true),
            ("target", "where to", None, false),
            ("other", "the rest", Some("else"), false),
        ]
    );
}

#[test]
fn a_setting_that_is_missing_or_unreadable_is_named() {
    let config = config(&[("limit", " 5"), ("rate", "0.5"), ("on", "yes"), ("empty", "")]);
    assert_eq!(config.required("field"), Err("setting `field` is required".into()));
    assert_eq!(config.required("empty"), Ok(""), "given, if only as nothing");
    assert_eq!(config.parse("rate", 1.0), Ok(0.5));
    assert_eq!(config.parse("absent", 42_u8), Ok(42));
    assert_eq!(config.parse("limit", 1_u32), Err("setting `limit`: \" 5\" cannot be read".into()));
    assert_eq!(config.parse("on", false), Err("setting `on`: \"yes\" cannot be read".into()));
    assert_eq!(config.get("absent"), None);
    assert_eq!(config.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["limit", "rate", "on", "empty"]);
}

#[test]
fn a_list_is_trimmed_and_has_no_empty_parts() {
    let config = config(&[("fields", " a, b c ,,d,"), ("none", " , ")]);
    assert_eq!(config.list("fields"), ["a", "b c", "d"]);
    assert_eq!((config.list("none"), config.list("absent")), (vec![], vec![]));
}

#[test]
fn a_plan_numbers_its_routes_and_reads_everything_unless_told() {
    let plan = Plan::route("a").and_route("b").and_route("c");
    assert_eq!((plan.routes.as_slice(), plan.reads), (&["a", "b", "c"].map(String::from)[..], Reads::ALL));
    let plan = plan.reads(Reads::KEYS | Reads::TIMESTAMPS);
    assert_eq!(plan.reads.0, meta::Reads::KEYS | meta::Reads::TIMESTAMPS);
    let each = Reads::KEYS | Reads::VALUES | Reads::HEADERS | Reads::OFFSETS | Reads::TIMESTAMPS;
    assert_eq!((each, Reads::NONE | Reads::NONE), (Reads::ALL, Reads::NONE));
}
