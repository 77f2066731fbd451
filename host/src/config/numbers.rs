//! Counts, sizes and durations with the range they must lie in. The range is part of the type: the loader enforces it
//! and the schema shows it.

use std::{borrow::Cow, fmt, time::Duration};

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::value::{Leaf, Wrong};

/// A whole number from `MIN` to `MAX`.
pub(super) struct Count<const MIN: u64, const MAX: u64>(pub(super) u64);

impl<const MIN: u64, const MAX: u64> Leaf for Count<MIN, MAX> {
    fn expected() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let count = text.parse().ok().filter(|count| (MIN..=MAX).contains(count));
        count.map(Self).ok_or_else(Wrong::default)
    }
}

/// A number of bytes from `MIN` to `MAX`.
pub(super) struct Size<const MIN: u64, const MAX: u64>(pub(super) u64);

/// Longest first, so that `KiB` is not read as `B`.
const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl<const MIN: u64, const MAX: u64> Leaf for Size<MIN, MAX> {
    fn expected() -> String {
        format!("a size from {} to {}", Bytes(MIN), Bytes(MAX))
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let Some(bytes) = bytes(text) else {
            return Err(Wrong::help("write `1MiB`, `512KB` or a number of bytes"));
        };
        if (MIN..=MAX).contains(&bytes) { Ok(Self(bytes)) } else { Err(Wrong::default()) }
    }
}

fn bytes(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find_map(|(name, factor)| Some((text.strip_suffix(name)?, *factor)));
    let (number, factor) = unit.unwrap_or((text, 1));
    let number = number.trim_end();
    // `u64::from_str` would also take a leading plus.
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse::<u64>().ok().filter(|_| digits)?.checked_mul(factor)
}

/// Prints a size in the largest unit that divides it.
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        match UNITS.iter().filter(fits).max_by_key(|(_, factor)| *factor) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// A duration from `MIN` to `MAX` milliseconds.
pub(super) struct Time<const MIN: u64, const MAX: u64>(pub(super) Duration);

impl<const MIN: u64, const MAX: u64> Leaf for Time<MIN, MAX> {
    fn expected() -> String {
        format!("a duration from {} to {}", Millis(MIN), Millis(MAX))
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let parsed = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
        let Some(duration) = parsed else {
            return Err(Wrong::help("write a number and its unit: `20ms`, `5s`, `1m`, `2h`"));
        };
        let range = Duration::from_millis(MIN)..=Duration::from_millis(MAX);
        if range.contains(&duration) { Ok(Self(duration)) } else { Err(Wrong::default()) }
    }
}

/// Prints milliseconds in the largest unit that divides them.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        match units.iter().find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}ms", self.0),
        }
    }
}

/// `true` or `false`.
pub(super) struct Switch(pub(super) bool);

impl Leaf for Switch {
    fn expected() -> String {
        "`true` or `false`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map(Self).map_err(|_| Wrong::default())
    }
}

impl JsonSchema for Switch {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Switch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "string"], "pattern": r"^(true|false)$|\$\{", "$comment": Self::expected() })
    }
}

/// Numbers may be written as texts too: that is how a variable stands for one.
impl<const MIN: u64, const MAX: u64> JsonSchema for Count<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Count{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": MIN, "maximum": MAX, "pattern": r"^[0-9]+$|\$\{", "$comment": Self::expected() })
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Size<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Size{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"], "minimum": MIN, "maximum": MAX,
            "pattern": r"^[0-9]+ *([KMG]i?B|B)?$|\$\{", "$comment": Self::expected(),
        })
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Time<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Time{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "$comment": Self::expected() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type AnySize = Size<0, { u64::MAX }>;

    #[test]
    fn sizes() {
        let table = [
            ("0", Some(0)),
            ("17", Some(17)),
            ("3B", Some(3)),
            ("1KiB", Some(1024)),
            ("64 MiB", Some(64 << 20)),
            ("512KB", Some(512_000)),
            ("2GB", Some(2_000_000_000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("17179869184GiB", None),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("+1", None),
            ("1.5MiB", None),
            ("1mib", None),
            ("1TiB", None),
        ];
        for (text, expected) in table {
            assert_eq!(AnySize::parse(text).ok().map(|size| size.0), expected, "{text}");
        }
    }

    #[test]
    fn durations() {
        type Hour = Time<1, 3_600_000>;
        let table = [
            ("20ms", Some(20)),
            ("5s", Some(5_000)),
            ("1m", Some(60_000)),
            ("1m30s", Some(90_000)),
            ("1h", Some(3_600_000)),
            ("0ms", None),
            ("61m", None),
            ("-5s", None),
            ("5", None),
            ("5 parsecs", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(Hour::parse(text).ok().map(|time| time.0.as_millis()), expected, "{text}");
        }
    }

    proptest! {
        /// What the messages print is what the loader reads.
        #[test]
        fn printed_sizes_are_read_back(bytes: u64) {
            prop_assert_eq!(AnySize::parse(&Bytes(bytes).to_string()).ok().map(|size| size.0), Some(bytes));
        }

        #[test]
        fn counts_keep_to_their_range(number: u64) {
            let read = Count::<10, 1000>::parse(&number.to_string()).ok().map(|count| count.0);
            prop_assert_eq!(read, (10..=1000).contains(&number).then_some(number));
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            let _read = (AnySize::parse(&text).is_ok(), Time::<0, 1>::parse(&text).is_ok());
        }
    }
}
