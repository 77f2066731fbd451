//! What flows: the records of an input topic, the work that is done with them, and what must come out.
//!
//! Everything follows from the number of a record, so that what came out can be checked without keeping what went in.

use serde_json::{Map, Value};

/// Timestamps begin here, in milliseconds, and go up by one per record: a peer that does not keep them is found out.
const FIRST_TIMESTAMP: i64 = 1_700_000_000_000;

/// What the filter keeps: at the end of every second value, so that each is searched to its end.
pub(crate) const WORD: &str = "keep";

/// The work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    /// Every record goes on as it is; in a module the value crosses in and out
    Identity,
    /// Half of the records go on
    Filter,
    /// JSON records go to one of three topics by a field
    Router,
    /// JSON logs lose two fields and get one
    Json,
    /// Every record goes to three topics
    Fanout,
}

/// Compression of the input's batches and of the output's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Codec {
    None,
    Lz4,
    Zstd,
}

/// What an input topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Content {
    /// Text that ends in [`WORD`] or not.
    Text,
    /// JSON objects with a field `kind`.
    Kinds,
    /// Lines of a web server's log, in JSON; some 200 bytes, whatever the size asked for.
    Log,
}

/// One record.
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
    pub(crate) timestamp: i64,
}

impl Shape {
    pub(crate) fn content(self) -> Content {
        match self {
            Self::Identity | Self::Filter | Self::Fanout => Content::Text,
            Self::Router => Content::Kinds,
            Self::Json => Content::Log,
        }
    }

    /// Topics that the outputs go to.
    pub(crate) fn routes(self) -> usize {
        match self {
            Self::Identity | Self::Filter | Self::Json => 1,
            Self::Router | Self::Fanout => 3,
        }
    }

    /// Whether a record goes to a route.
    pub(crate) fn takes(self, number: u64, route: usize) -> bool {
        match self {
            Self::Identity | Self::Json | Self::Fanout => true,
            Self::Filter => number.is_multiple_of(2),
            Self::Router => number % 3 == route as u64,
        }
    }

    /// What a value becomes, in a form in which equal outputs are equal bytes: JSON has its members in order.
    ///
    /// # Errors
    /// JSON was expected.
    pub(crate) fn becomes(self, value: &[u8]) -> serde_json::Result<Vec<u8>> {
        if self != Self::Json {
            return Ok(value.to_vec());
        }
        let mut fields: Map<String, Value> = serde_json::from_slice(value)?;
        fields.retain(|name, _| name != "name" && name != "password");
        fields.insert("env".into(), "prod".into());
        sorted(&fields)
    }

    /// An output in the form of [`Self::becomes`].
    ///
    /// # Errors
    /// JSON was expected.
    pub(crate) fn comparable(self, output: &[u8]) -> serde_json::Result<Vec<u8>> {
        if self == Self::Json { sorted(&serde_json::from_slice(output)?) } else { Ok(output.to_vec()) }
    }
}

fn sorted(fields: &Map<String, Value>) -> serde_json::Result<Vec<u8>> {
    let sorted: std::collections::BTreeMap<&String, &Value> = fields.iter().collect();
    serde_json::to_vec(&sorted)
}

impl Codec {
    /// As Kafka's clients call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl Content {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Kinds => "kinds",
            Self::Log => "log",
        }
    }

    /// A record by its number, with a value of `size` bytes (or more, where a field would not fit).
    pub(crate) fn record(self, number: u64, size: usize) -> Record {
        let value = match self {
            Self::Text => {
                let end = if number.is_multiple_of(2) { WORD } else { "drop" };
                let middle = filler(number, size.saturating_sub(12 + end.len()));
                format!("{number:012}{middle}{end}")
            }
            Self::Kinds => {
                let kind = ["view", "order", "refund"][(number % 3) as usize];
                let begin = format!(r#"{{"kind":"{kind}","id":{number},"text":""#);
                let middle = filler(number, size.saturating_sub(begin.len() + 2));
                format!("{begin}{middle}\"}}")
            }
            Self::Log => log_line(number),
        };
        Record {
            key: format!("k{}", number % 100_000),
            value: value.into_bytes(),
            timestamp: FIRST_TIMESTAMP + number as i64,
        }
    }
}

/// Letters that hold no `k`, and so no [`WORD`]; they differ from record to record as text does, and compress like it.
fn filler(number: u64, len: usize) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::with_capacity(len + 8);
    while text.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(
            ["lorem ", "ipsum ", "dolor ", "sit ", "amet ", "error ", "info ", "user "][(state >> 61) as usize],
        );
    }
    text.truncate(len);
    text
}

fn log_line(number: u64) -> String {
    let status = if number.is_multiple_of(17) { 404 } else { 200 };
    format!(
        r#"{{"remote_addr":"10.0.{}.{}","time":"2026-11-23T10:{:02}:{:02}Z","method":"GET","path":"/item/{}","status":{status},"bytes":{},"name":"user{}","password":"s3cr3t","agent":"Mozilla/5.0 (X11; Linux x86_64)"}}"#,
        number % 256,
        number / 256 % 256,
        number / 60 % 60,
        number % 60,
        number % 100_000,
        number % 9999,
        number % 5000,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_size_and_only_every_second_has_the_word() {
        for number in [0, 1, 12, 99_999_999] {
            for size in [100, 1000] {
                let value = Content::Text.record(number, size).value;
                let found = value.windows(WORD.len()).any(|window| window == WORD.as_bytes());
                assert_eq!((value.len(), found), (size, number % 2 == 0));
                let value = Content::Kinds.record(number, size).value;
                let fields: Map<String, Value> = serde_json::from_slice(&value).expect("an object");
                assert_eq!((value.len(), fields["id"].as_u64()), (size, Some(number)));
            }
        }
    }

    #[test]
    fn a_cleansed_line_is_compared_whatever_the_order_of_its_members() {
        let line = br#"{"b":1,"name":"x","a":{"password":2}}"#;
        let expected = Shape::Json.becomes(line).expect("JSON");
        let output = br#"{"env":"prod","b":1,"a":{"password":2}}"#;
        assert_eq!(Shape::Json.comparable(output).expect("JSON"), expected);
        assert_ne!(Shape::Json.comparable(line).expect("JSON"), expected);
    }
}
