//! Texts with holes that each record fills: index names, document ids, Redis keys.
//!
//! Parsed once, when the pipeline is loaded; sinks walk [`Template::parts`] for each record. All times are those of
//! the record in UTC, so a replay writes to the same places.

use std::{
    fmt::{self, Display, Formatter},
    str::FromStr,
};

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use thiserror::Error;

use super::value::{Leaf, Wrong, text_schema};

/// Longer than any index name, key or id that makes sense; bounds the work per record.
const TEMPLATE_BYTES_MAX: usize = 1024;

const ALLOWED: &str = "{key}, {topic}, {partition}, {offset}, {time:%Y.%m.%d}, {header:name} and {target} are allowed, \
                       and {{ and }} stand for braces";

/// A parsed template. Two neighbouring parts are never both [`Part::Text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    written: String,
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Stands for itself; never empty.
    Text(String),
    /// The output record's key.
    Key,
    /// The topic that the record was read from.
    Topic,
    /// The partition that the record was read from.
    Partition,
    /// The offset that the record was read from.
    Offset,
    /// The output record's timestamp in UTC, through `strftime`. The format is known to be valid.
    Time(String),
    /// The value of the output record's first header of this name.
    Header(String),
    /// Where the module says that the record belongs.
    Target,
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadTemplate {
    #[error("a template has 1 to {TEMPLATE_BYTES_MAX} bytes")]
    Length,
    #[error("`{{` has no closing `}}`; {ALLOWED}")]
    Open,
    #[error("`}}` has no opening `{{`; {ALLOWED}")]
    Close,
    #[error("`{{{0}}}` is unknown; {ALLOWED}")]
    Unknown(String),
    #[error("`{format}` is no format of a time: {reason}")]
    Time { format: String, reason: String },
}

impl Template {
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl Display for Template {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl FromStr for Template {
    type Err = BadTemplate;

    fn from_str(written: &str) -> Result<Self, BadTemplate> {
        if written.is_empty() || written.len() > TEMPLATE_BYTES_MAX {
            return Err(BadTemplate::Length);
        }
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = written;
        while let Some(brace) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(brace);
            text.push_str(before);
            if let Some(after) = from_brace.strip_prefix("{{") {
                text.push('{');
                rest = after;
            } else if let Some(after) = from_brace.strip_prefix("}}") {
                text.push('}');
                rest = after;
            } else if let Some(inside) = from_brace.strip_prefix('{') {
                let (hole, after) = inside.split_once('}').ok_or(BadTemplate::Open)?;
                flush(&mut text, &mut parts);
                parts.push(part(hole)?);
                rest = after;
            } else {
                return Err(BadTemplate::Close);
            }
        }
        text.push_str(rest);
        flush(&mut text, &mut parts);
        Ok(Self { written: written.to_owned(), parts })
    }
}

fn flush(text: &mut String, parts: &mut Vec<Part>) {
    if !text.is_empty() {
        parts.push(Part::Text(std::mem::take(text)));
    }
}

fn part(hole: &str) -> Result<Part, BadTemplate> {
    match hole.split_once(':') {
        Some(("time", format)) => time(format),
        Some(("header", name)) if !name.is_empty() => Ok(Part::Header(name.to_owned())),
        Some(_) => Err(BadTemplate::Unknown(hole.to_owned())),
        None => match hole {
            "key" => Ok(Part::Key),
            "topic" => Ok(Part::Topic),
            "partition" => Ok(Part::Partition),
            "offset" => Ok(Part::Offset),
            "target" => Ok(Part::Target),
            _ => Err(BadTemplate::Unknown(hole.to_owned())),
        },
    }
}

/// Tries the format on some time, so that no record can be the first to find it wrong.
fn time(format: &str) -> Result<Part, BadTemplate> {
    let bad = |reason: String| BadTemplate::Time { format: format.to_owned(), reason };
    if format.is_empty() {
        return Err(bad("it is empty".to_owned()));
    }
    let some_time = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
    strtime::format(format, &some_time).map_err(|error| bad(error.to_string()))?;
    Ok(Part::Time(format.to_owned()))
}

impl Leaf for Template {
    fn expected() -> String {
        "a template".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|bad: BadTemplate| Wrong::help(bad.to_string()))
    }
}

text_schema!(Template, "minLength": 1, "maxLength": TEMPLATE_BYTES_MAX, "$comment": "a template");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn parts_stand_in_order() {
        let template: Template = "{topic}/{partition}-{offset}:{key}{header:tenant}{target}".parse().unwrap();
        let header = Part::Header("tenant".to_owned());
        let expected = [
            Part::Topic,
            text("/"),
            Part::Partition,
            text("-"),
            Part::Offset,
            text(":"),
            Part::Key,
            header,
            Part::Target,
        ];
        assert_eq!(template.parts(), expected);
    }

    #[test]
    fn times_keep_their_format() {
        let template: Template = "nginx-{time:%Y.%m.%d}".parse().unwrap();
        assert_eq!(template.parts(), [text("nginx-"), Part::Time("%Y.%m.%d".to_owned())]);
        assert_eq!(template.to_string(), "nginx-{time:%Y.%m.%d}");
    }

    #[test]
    fn doubled_braces_are_text() {
        let template: Template = "{{user}}:{key}".parse().unwrap();
        assert_eq!(template.parts(), [text("{user}:"), Part::Key]);
    }

    #[test]
    fn mistakes_say_what_is_allowed() {
        let unknown = "user:{id}".parse::<Template>().unwrap_err().to_string();
        assert!(unknown.starts_with("`{id}` is unknown; {key}, {topic}, "), "{unknown}");
        let table = [
            ("", "a template has"),
            ("{key", "`{` has no closing"),
            ("key}", "`}` has no opening"),
            ("{}", "`{}` is unknown"),
            ("{header:}", "`{header:}` is unknown"),
            ("{time}", "`{time}` is unknown"),
            ("{time:}", "`` is no format of a time: it is empty"),
            ("{time:%!}", "`%!` is no format of a time: "),
        ];
        for (written, expected) in table {
            let message = written.parse::<Template>().unwrap_err().to_string();
            assert!(message.starts_with(expected), "{written}: {message}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_texts_never_touch(written in ".*") {
            if let Ok(template) = written.parse::<Template>() {
                let both = |pair: &[Part]| matches!(pair, [Part::Text(_), Part::Text(_)]);
                prop_assert!(!template.parts().windows(2).any(both));
            }
        }

        #[test]
        fn escaped_text_comes_back(plain in "[^\\x00]{1,99}") {
            let written = plain.replace('{', "{{").replace('}', "}}");
            let template: Template = written.parse().unwrap();
            prop_assert_eq!(template.parts(), &[text(&plain)]);
        }
    }
}
