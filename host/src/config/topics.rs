//! Topics of a source: names, and patterns that begin with `^`.
//!
//! librdkafka matches patterns, as POSIX extended expressions; the loader has to understand them as well, to tell a
//! mistake before anything starts and to see records that would run in circles. So a pattern is held to what POSIX and
//! the crate read alike: no classes such as `\d`, no groups with options, no backslash within brackets.
//!
//! A pattern never covers an internal topic (`__consumer_offsets` and the like): what stands in there means nothing, or
//! worse, anywhere else.

use regex_lite::Regex;

use super::{
    names::Topic,
    value::{Leaf, Wrong, text_schema},
};

/// More than any pattern that people can read.
const PATTERN_BYTES_MAX: usize = 512;

/// What internal topics begin with.
const INTERNAL: &str = "__";

/// A topic by its name, or a pattern of names.
pub(super) struct SourceTopic(pub(super) String);

impl Leaf for SourceTopic {
    fn expected() -> String {
        "the name of a topic, or a pattern that begins with `^`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let read = if is_pattern(text) {
            check(text).map_err(Wrong::help)
        } else if text.contains(['*', '+', '?', '[', '(', '|', '$']) {
            Err(Wrong::help(r"a pattern is a regular expression that begins with `^`, such as `^logs-.*`"))
        } else {
            Topic::parse(text).map(drop)
        };
        read.map(|()| Self(text.to_owned()))
    }
}

/// Whether a topic of a source stands for many.
pub(super) fn is_pattern(topic: &str) -> bool {
    topic.starts_with('^')
}

/// Whether a name is one that Kafka and its tools keep for themselves.
pub(super) fn is_internal(name: &str) -> bool {
    name.starts_with(INTERNAL)
}

/// Whether a topic of a source is, or stands for, the topic of this name.
pub fn covers(topic: &str, name: &str) -> bool {
    if !is_pattern(topic) {
        return topic == name;
    }
    !is_internal(name) && Regex::new(topic).is_ok_and(|pattern| pattern.is_match(name))
}

fn check(pattern: &str) -> Result<(), String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("a pattern has at most {PATTERN_BYTES_MAX} bytes"));
    }
    if pattern.strip_prefix('^').is_some_and(is_internal) {
        return Err("internal topics are never read by a pattern; name the one that is meant".to_owned());
    }
    let (mut escaped, mut in_brackets, mut before) = (false, false, ' ');
    for character in pattern.chars() {
        let known = character.is_ascii_alphanumeric() || "._-^$*+?()[]{}|\\,:".contains(character);
        let fault = match character {
            _ if !known => Some("stands in no topic's name"),
            _ if escaped && character.is_ascii_alphanumeric() => {
                Some(r"has no meaning behind a backslash: write `[0-9]` for `\d`")
            }
            '\\' if in_brackets => Some("cannot stand within brackets: every other sign stands for itself there"),
            '?' if before == '(' && !in_brackets => Some("cannot begin a group"),
            _ => None,
        };
        if let Some(fault) = fault {
            return Err(format!("`{character}` {fault}"));
        }
        match character {
            '[' if !escaped => in_brackets = true,
            ']' if !escaped => in_brackets = false,
            _ => {}
        }
        (before, escaped) = (if escaped { ' ' } else { character }, character == '\\' && !escaped);
    }
    Regex::new(pattern).map(drop).map_err(|error| format!("no regular expression: {error}"))
}

text_schema!(SourceTopic, "pattern": r"^[a-zA-Z0-9._-]{1,249}$|^\^|\$\{", "$comment": "name of a topic, or a pattern that begins with `^`");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_what_librdkafka_and_the_loader_read_alike() {
        for good in [r"^orders\..*", "^(a|b)-[0-9]+$", "^logs", "^[a-z.-]{2,3}$", "^.*", "^_one"] {
            assert!(SourceTopic::parse(good).is_ok(), "{good}");
        }
        let long = format!("^{}", "x".repeat(PATTERN_BYTES_MAX));
        let table = [
            ("logs-*", "begins with `^`"),
            (r"^logs-\d", r"`[0-9]` for `\d`"),
            (r"^[\-a]", "within brackets"),
            ("^(?i)logs", "cannot begin a group"),
            ("^löss", "in no topic's name"),
            ("^(logs", "no regular expression"),
            ("^__consumer_offsets", "internal topics"),
            (&long, "at most 512 bytes"),
            ("..", "a topic has 1 to 249"),
        ];
        for (bad, words) in table {
            let help = SourceTopic::parse(bad).err().and_then(|wrong| wrong.help).unwrap_or_default();
            assert!(help.contains(words), "{bad}: {help}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_matches_and_nothing_internal() {
        let table = [
            (r"^orders\..*", "orders.eu", true),
            (r"^orders\..*", "orders", false),
            ("^logs", "logs.dead", true),
            ("^logs$", "logs.dead", false),
            ("^.*", "__consumer_offsets", false),
            ("__own", "__own", true),
            ("a.b", "aXb", false),
        ];
        for (topic, name, expected) in table {
            assert_eq!(covers(topic, name), expected, "{topic} {name}");
        }
    }
}
