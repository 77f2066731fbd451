//! Where a record came from, as headers of the record: `wasmill-topic`, `wasmill-partition`, `wasmill-offset`, and
//! `wasmill-nth` where one record became several. Numbers are written in decimal.
//!
//! Whoever writes them takes away those of an earlier hop, so a record names one place: where it was read last.

use std::io::Write as _;

const TOPIC: &str = "wasmill-topic";
const PARTITION: &str = "wasmill-partition";
const OFFSET: &str = "wasmill-offset";
const NTH: &str = "wasmill-nth";

/// The place that a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    pub topic: &'a [u8],
    pub partition: i32,
    pub offset: i64,
    /// How many records of the same place come before this one.
    pub nth: u32,
}

/// Whether a header is one of lineage.
pub fn is_lineage(name: &[u8]) -> bool {
    [TOPIC, PARTITION, OFFSET, NTH].iter().any(|known| known.as_bytes() == name)
}

/// Writes lineage; its memory is used again from record to record.
#[derive(Debug, Default)]
pub struct LineageWriter {
    partition: Vec<u8>,
    offset: Vec<u8>,
    nth: Vec<u8>,
}

impl LineageWriter {
    /// Calls with the headers of a record of this origin.
    pub fn with<T>(&mut self, origin: Origin<'_>, call: impl FnOnce(&[(&str, &[u8])]) -> T) -> T {
        number(&mut self.partition, origin.partition);
        number(&mut self.offset, origin.offset);
        number(&mut self.nth, origin.nth);
        let headers =
            [(TOPIC, origin.topic), (PARTITION, &self.partition), (OFFSET, &self.offset), (NTH, self.nth.as_slice())];
        call(if origin.nth == 0 { &headers[..3] } else { &headers })
    }
}

fn number(into: &mut Vec<u8>, number: impl std::fmt::Display) {
    into.clear();
    // A vector takes everything.
    drop(write!(into, "{number}"));
}

/// Reads lineage out of the headers of one record after the other.
#[derive(Debug, Default)]
pub struct LineageReader {
    topic: Vec<u8>,
    has_topic: bool,
    partition: Option<i32>,
    offset: Option<i64>,
    nth: Option<u32>,
}

impl LineageReader {
    /// Forgets the record before.
    pub fn clear(&mut self) {
        (self.has_topic, self.partition, self.offset, self.nth) = (false, None, None, None);
    }

    /// Takes a header, and says whether it is one of lineage. Of several with one name the last holds.
    pub fn take(&mut self, name: &[u8], value: Option<&[u8]>) -> bool {
        let text = || value.and_then(|value| std::str::from_utf8(value).ok());
        if name == TOPIC.as_bytes() {
            self.topic.clear();
            self.topic.extend_from_slice(value.unwrap_or_default());
            self.has_topic = value.is_some();
        } else if name == PARTITION.as_bytes() {
            self.partition = text().and_then(|text| text.parse().ok());
        } else if name == OFFSET.as_bytes() {
            self.offset = text().and_then(|text| text.parse().ok());
        } else if name == NTH.as_bytes() {
            self.nth = text().and_then(|text| text.parse().ok());
        } else {
            return false;
        }
        true
    }

    /// The origin that the headers since [`Self::clear`] name; none where one is missing or no number.
    pub fn origin(&self) -> Option<Origin<'_>> {
        let topic = self.has_topic.then_some(self.topic.as_slice())?;
        Some(Origin { topic, partition: self.partition?, offset: self.offset?, nth: self.nth.unwrap_or(0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (mut writer, mut reader) = (LineageWriter::default(), LineageReader::default());
        for (offset, nth) in [(0, 0), (i64::MAX, 7), (5, 0)] {
            let origin = Origin { topic: b"orders", partition: 3, offset, nth };
            reader.clear();
            writer.with(origin, |headers| {
                assert_eq!(headers.len(), if nth == 0 { 3 } else { 4 });
                assert!(headers.iter().all(|(name, value)| reader.take(name.as_bytes(), Some(value))));
            });
            assert_eq!(reader.origin(), Some(origin));
        }
        assert!(!reader.take(b"wasmill-other", None));
    }

    #[test]
    fn what_is_no_place_is_none() {
        let mut reader = LineageReader::default();
        let headers: [(&[u8], &[u8]); 3] =
            [(b"wasmill-topic", b"t"), (b"wasmill-partition", b"1"), (b"wasmill-offset", b"1")];
        for bad in 0..headers.len() {
            reader.clear();
            for (at, (name, value)) in headers.iter().enumerate() {
                reader.take(name, (at != bad).then_some(*value));
            }
            assert_eq!(reader.origin(), None, "without {bad}");
        }
        reader.take(b"wasmill-topic", Some(b"t"));
        reader.take(b"wasmill-offset", Some(b"one"));
        assert_eq!(reader.origin(), None);
    }
}
