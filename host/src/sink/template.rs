//! Fills the holes of a template with a record: index names, document ids, Redis keys.
//!
//! Times are formatted once per day, hour or whatever the format can tell apart, not once per record.

use std::io::Write;

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use thiserror::Error;

use crate::{
    batch::Batch,
    config::{Part, Template},
    output::Record,
};

/// What a template asks of a record that has no such thing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Missing {
    #[error("the record has no key, which its {0} is made of")]
    Key(&'static str),
    #[error("the record has no header `{1}`, which its {0} is made of")]
    Header(&'static str, String),
    #[error("the module names no target for the record, which its {0} is made of")]
    Target(&'static str),
    #[error("the record has no time that its {0} can be made of (its timestamp is {1})")]
    Time(&'static str, i64),
}

/// A template ready to be filled, for one lane.
#[derive(Debug)]
pub(super) struct Renderer {
    /// What it makes, for people: an index, an id, a key.
    makes: &'static str,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Time(Time),
    Other(Part),
}

/// A formatted time and the span in which it stays the same.
#[derive(Debug)]
struct Time {
    format: String,
    /// Length of a span in milliseconds; spans begin at multiples of it.
    span: i64,
    /// Number of the span that `text` stands for.
    current: Option<i64>,
    text: String,
}

impl Renderer {
    pub(super) fn new(makes: &'static str, template: &Template) -> Self {
        let piece = |part: &Part| match part {
            Part::Time(format) => {
                let (format, span) = (format.clone(), span(format));
                Piece::Time(Time { format, span, current: None, text: String::new() })
            }
            other => Piece::Other(other.clone()),
        };
        Self { makes, pieces: template.parts().iter().map(piece).collect() }
    }

    /// Whether `part` is one of the template's.
    pub(super) fn has(&self, part: &Part) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Other(other) if other == part))
    }

    /// Appends the text for a record to `out`; on an error also what came before it.
    pub(super) fn render(&mut self, batch: &Batch, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Missing> {
        let makes = self.makes;
        for piece in &mut self.pieces {
            match piece {
                Piece::Time(time) => out.extend_from_slice(time.at(record.timestamp, makes)?.as_bytes()),
                Piece::Other(part) => fill(part, batch, record, makes, out)?,
            }
        }
        Ok(())
    }
}

/// Where a record goes whose module may name a place: that place, unless the template has a hole for it.
#[derive(Debug)]
pub(super) struct Place {
    renderer: Renderer,
    has_target: bool,
}

impl Place {
    pub(super) fn new(makes: &'static str, template: &Template) -> Self {
        let renderer = Renderer::new(makes, template);
        Self { has_target: renderer.has(&Part::Target), renderer }
    }

    /// As [`Renderer::render`].
    pub(super) fn render(&mut self, batch: &Batch, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Missing> {
        match record.target {
            Some(target) if !self.is_from_template(record) => {
                out.extend_from_slice(target);
                Ok(())
            }
            _ => self.renderer.render(batch, record, out),
        }
    }

    /// Whether a record goes where the template says, rather than where its module says.
    pub(super) fn is_from_template(&self, record: &Record<'_>) -> bool {
        self.has_target || record.target.is_none()
    }

    /// Whether the template gives records of different topic-partitions different places.
    pub(super) fn is_per_partition(&self) -> bool {
        self.renderer.has(&Part::Topic) && self.renderer.has(&Part::Partition)
    }
}

fn fill(
    part: &Part,
    batch: &Batch,
    record: &Record<'_>,
    makes: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), Missing> {
    let mut number = |number: i64| {
        // Writing to a vector does not fail.
        drop(write!(out, "{number}"));
    };
    match part {
        Part::Partition => number(batch.partition.into()),
        Part::Offset => number(record.offset()),
        Part::Text(text) => out.extend_from_slice(text.as_bytes()),
        Part::Topic => out.extend_from_slice(batch.topic.as_bytes()),
        Part::Key => out.extend_from_slice(record.key.ok_or(Missing::Key(makes))?),
        Part::Target => out.extend_from_slice(record.target.ok_or(Missing::Target(makes))?),
        Part::Header(wanted) => {
            let mut found = false;
            record.headers(&mut |name, value| {
                if let (false, true, Some(value)) = (found, name == wanted.as_bytes(), value) {
                    out.extend_from_slice(value);
                    found = true;
                }
            });
            if !found {
                return Err(Missing::Header(makes, wanted.clone()));
            }
        }
        // Held as a piece of its own.
        Part::Time(_) => {}
    }
    Ok(())
}

impl Time {
    fn at(&mut self, timestamp: i64, makes: &'static str) -> Result<&str, Missing> {
        let span = timestamp.div_euclid(self.span);
        if self.current != Some(span) {
            let missing = || Missing::Time(makes, timestamp);
            let time = Timestamp::from_millisecond(timestamp).ok().filter(|_| timestamp >= 0).ok_or_else(missing)?;
            let zoned = time.to_zoned_datetime(TimeZone::UTC);
            self.text = strtime::format(&self.format, &zoned).map_err(|_| missing())?;
            self.current = Some(span);
        }
        Ok(&self.text)
    }
}

/// The span in milliseconds in which a time in this format stays the same in UTC. Directives that are not listed count
/// as if they told milliseconds apart.
fn span(format: &str) -> i64 {
    const DAY: i64 = 86_400_000;
    let mut shortest = DAY;
    let mut rest = format.chars();
    while rest.any(|character| character == '%') {
        // Flags and a width may stand before the directive.
        let directive = rest.find(|character| !matches!(character, '-' | '_' | '^' | '#' | '0'..='9'));
        shortest = shortest.min(match directive {
            Some('Y' | 'C' | 'y' | 'G' | 'g' | 'm' | 'b' | 'B' | 'h' | 'd' | 'e' | 'j' | 'F' | 'D') => DAY,
            Some('a' | 'A' | 'u' | 'w' | 'U' | 'V' | 'W' | 'Z' | 'z' | 'Q' | '%' | 'n' | 't') => DAY,
            Some('H' | 'k' | 'I' | 'l' | 'p' | 'P') => 3_600_000,
            Some('M' | 'R') => 60_000,
            Some('S' | 'T' | 's') => 1000,
            _ => 1,
        });
    }
    shortest
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::{
        batch::MemoryRows,
        columns::BytesColumn,
        output::{Output, View},
    };

    /// Renders for a record of `logs[3]` at offset 42 with one header `tenant` and a null one before it.
    fn render(template: &str, timestamp: i64, key: Option<&[u8]>, target: Option<&[u8]>) -> Result<String, Missing> {
        let mut rows = MemoryRows::default();
        rows.push(42, timestamp, key, None, &[(b"tenant", None), (b"tenant", Some(b"acme")), (b"tenant", Some(b"x"))]);
        let batch = Batch { topic: "logs".into(), partition: 3, epoch: 1, bytes: 0, rows: Rc::new(rows) };
        let mut targets = BytesColumn::default();
        targets.push(target);
        let output = Output { rows: vec![0], targets: Some(targets), ..Output::default() };
        let record = View { batch: &batch, base: 0, output: &output }.records().next().expect("a record");
        let mut out = Vec::new();
        let mut renderer = Renderer::new("index", &template.parse().expect("a template"));
        renderer.render(&batch, &record, &mut out)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn every_hole_is_filled_from_its_record() {
        let all = "{topic}/{partition}-{offset}:{key}.{header:tenant}.{target}.{time:%Y.%m.%d-%H}";
        let rendered = render(all, 1_700_000_000_000, Some(b"k"), Some(b"there"));
        assert_eq!(rendered.as_deref(), Ok("logs/3-42:k.acme.there.2023.11.14-22"));
        assert_eq!(render("{time:%F}", 951_782_399_999, None, None).as_deref(), Ok("2000-02-28"));
    }

    #[test]
    fn what_a_record_lacks_is_named() {
        let table = [
            ("{key}", 0, Missing::Key("index")),
            ("{header:no}", 0, Missing::Header("index", "no".into())),
            ("{target}", 0, Missing::Target("index")),
            ("{time:%Y}", -1, Missing::Time("index", -1)),
            ("{time:%Y}", i64::MAX, Missing::Time("index", i64::MAX)),
        ];
        for (template, timestamp, missing) in table {
            assert_eq!(render(template, timestamp, None, None), Err(missing), "{template}");
        }
    }

    #[test]
    fn a_cached_time_is_what_formatting_anew_would_say() {
        for format in ["%Y", "%Y.%m.%d", "%G-%V", "%-d_%H", "%H:%M", "%T", "%c", "%s", "%3f", "%Y%%%Y", "%y%U"] {
            let part = Renderer::new("index", &format!("{{time:{format}}}").parse().expect("a template"));
            let Some(Piece::Time(mut time)) = part.pieces.into_iter().next() else { panic!("{format}: no time") };
            // Steps that cross every kind of boundary, and come back.
            let mut timestamp = 1_703_980_799_000;
            for step in [1, 999, 1, 59_000, 3_541_000, 1, 86_400_000, -86_400_001, -3_600_000, 40 * 86_400_000] {
                timestamp += step;
                let anew = Timestamp::from_millisecond(timestamp).expect("a time").to_zoned_datetime(TimeZone::UTC);
                let anew = strtime::format(format, &anew).expect("a text");
                assert_eq!(time.at(timestamp, "index"), Ok(anew.as_str()), "{format} at {timestamp}");
            }
        }
    }
}
