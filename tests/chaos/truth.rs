//! What went in, as the brokers of the input topic have it, and what has to become of it.

use std::collections::{BTreeMap, HashMap};

use rdkafka::Message as _;

use super::{
    findings::Findings,
    read,
    record::{SAMPLE, Word, passed, written},
    world::World,
};

/// A record that went in, by its number.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: u64,
    pub(crate) word: Word,
    pub(crate) hash: u64,
}

/// The input topic while it is read.
struct Input {
    /// By number.
    rows: Vec<Option<Row>>,
    again: HashMap<u64, Vec<i64>>,
}

impl Input {
    fn new(records: u64) -> Self {
        Self { rows: vec![None; records as usize], again: HashMap::new() }
    }

    /// Takes the next record of a partition, and says whether it is one that was written.
    fn take(&mut self, (partition, offset): (i32, i64), key: Option<&str>, value: Option<&str>) -> bool {
        let Some((said, key)) = value.and_then(written).zip(key.and_then(|key| key.parse().ok())) else {
            return false;
        };
        match self.rows.get_mut(said.number as usize) {
            Some(row @ None) => *row = Some(Row { partition, offset, key, word: said.word, hash: said.hash }),
            // The writer's client may have written it twice when its brokers died; it is two records then.
            Some(Some(row)) if row.partition == partition && row.hash == said.hash && row.offset != offset => {
                self.again.entry(said.number).or_default().push(offset);
            }
            _ => return false,
        }
        true
    }

    /// # Errors
    /// How many are missing, if any are.
    fn end(self) -> Result<Truth, usize> {
        let missing = self.rows.iter().filter(|row| row.is_none()).count();
        if missing > 0 {
            return Err(missing);
        }
        Ok(Truth { rows: self.rows.into_iter().flatten().collect(), again: self.again })
    }
}

/// All that went in.
pub(crate) struct Truth {
    /// By number.
    pub(crate) rows: Vec<Row>,
    /// Further offsets of rows that are in the input more than once. What comes of each has to be there.
    again: HashMap<u64, Vec<i64>>,
}

impl Truth {
    /// Reads the input topic.
    ///
    /// # Errors
    /// That it is not what was written: then nothing can be said of the hosts.
    pub(crate) fn read(world: &World, records: u64) -> Result<Self, String> {
        let (mut input, mut odd) = (Input::new(records), Findings::default());
        read::each(world, &world.topic("in"), |message| {
            let at = (message.partition(), message.offset());
            if !input.take(at, read::text(message.key()), read::text(message.payload())) {
                odd.wrong(|| read::show(message));
            }
        });
        match input.end() {
            Ok(truth) if odd.wrong == 0 => Ok(truth),
            end => Err(format!(
                "the input topic lost {} records, and has {} that were not written: {:?}",
                end.err().unwrap_or(0),
                odd.wrong,
                odd.examples
            )),
        }
    }

    /// How many records the input has beyond those that were written once.
    pub(crate) fn written_again(&self) -> usize {
        self.again.values().map(Vec::len).sum()
    }

    pub(crate) fn times(&self, number: u64) -> u64 {
        1 + self.again.get(&number).map_or(0, |offsets| offsets.len() as u64)
    }

    pub(crate) fn offsets(&self, number: u64, row: &Row) -> impl Iterator<Item = i64> {
        std::iter::once(row.offset).chain(self.again.get(&number).into_iter().flatten().copied())
    }

    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u64, &Row)> {
        (0..).zip(&self.rows)
    }

    /// Rows of a partition whose records are sampled, in order.
    pub(crate) fn sampled(&self, partition: i32) -> impl Iterator<Item = (u64, &Row)> {
        self.numbered().filter(move |(number, row)| {
            row.partition == partition && number.is_multiple_of(SAMPLE) && row.word.is_sampled()
        })
    }

    /// Whether a value is what the module makes of this record.
    pub(crate) fn is(&self, number: u64, nth: u32, value: &str) -> bool {
        let Some((said, found)) = passed(value) else { return false };
        said.number == number && found == nth && self.rows.get(number as usize).is_some_and(|row| row.hash == said.hash)
    }

    /// The number, and which of its row's, of the record that stays for each key.
    pub(crate) fn state(&self) -> BTreeMap<u64, (u64, u32)> {
        let mut state = BTreeMap::new();
        // A key is in one partition.
        let mut all: Vec<(i64, u64, &Row)> = self
            .numbered()
            .flat_map(|(number, row)| self.offsets(number, row).map(move |offset| (offset, number, row)))
            .collect();
        all.sort_unstable_by_key(|(offset, ..)| *offset);
        for (_, number, row) in all {
            match (row.word, row.word.copies()) {
                (Word::Delete, _) => drop(state.remove(&row.key)),
                (_, 0) => {}
                (_, copies) => drop(state.insert(row.key, (number, copies as u32 - 1))),
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(number: u64, word: &str) -> String {
        format!(r#"{{"n":{number},"do":"{word}","key":"7","pad":""}}"#)
    }

    /// An input of one partition and one key.
    fn input(records: u64, written: &[(i64, u64, &str)]) -> Input {
        let mut input = Input::new(records);
        for (offset, number, word) in written {
            assert!(input.take((0, *offset), Some("7"), Some(&value(*number, word))), "{number} at {offset}");
        }
        input
    }

    #[test]
    fn a_record_that_is_in_the_input_twice_is_two_records() {
        let truth = input(3, &[(0, 0, "keep"), (1, 1, "two"), (2, 2, "keep"), (3, 1, "two")]).end().expect("all there");
        assert_eq!((truth.times(0), truth.times(1), truth.written_again()), (1, 2, 1));
        assert_eq!(truth.offsets(1, &truth.rows[1]).collect::<Vec<_>>(), [1, 3]);
        // What the later one makes stays: of `two`, the second.
        assert_eq!(truth.state(), BTreeMap::from([(7, (1, 1))]));
    }

    #[test]
    fn a_deletion_that_is_in_the_input_again_deletes_again() {
        let truth = input(2, &[(0, 0, "delete"), (1, 1, "keep"), (2, 0, "delete")]).end().expect("all there");
        assert_eq!(truth.state(), BTreeMap::new());
    }

    #[test]
    fn what_was_not_written_is_not_taken() {
        let mut input = input(2, &[(0, 0, "keep")]);
        for (at, key, value) in [
            ((0, 0), Some("7"), Some(value(0, "keep"))), // the same record
            ((1, 1), Some("7"), Some(value(0, "keep"))), // in another partition
            ((0, 1), Some("7"), Some(value(0, "drop"))), // another value
            ((0, 1), Some("7"), Some(value(2, "keep"))), // beyond the last
            ((0, 1), Some("seven"), Some(value(1, "keep"))),
            ((0, 1), None, Some(value(1, "keep"))),
            ((0, 1), Some("7"), None),
            ((0, 1), Some("7"), Some("nothing of ours".to_owned())),
        ] {
            assert!(!input.take(at, key, value.as_deref()), "{at:?} {key:?} {value:?}");
        }
        assert_eq!(input.end().err(), Some(1));
    }
}
