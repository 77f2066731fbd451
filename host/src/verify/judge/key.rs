//! By key and content: entries come by key. What is in one log alone is paired with what is in the other alone under
//! the same key: that is one record that differs. The order within a key is judged afterwards, by [`Pair`]s.

use std::io;

use super::{Lowest, Seen, Tally};
use crate::verify::{
    Rules,
    digest::{Entry, Which, take},
    report::{Difference, Kind, Place},
    sort::Fixed,
};

/// A record that both logs have. The order puts those together that have to be in one order: of one key, and of one
/// partition on each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::verify) struct Pair {
    key: u64,
    partitions: [i32; 2],
    /// In `from`, then in `to`.
    offsets: [i64; 2],
}

impl Fixed for Pair {
    const SIZE: usize = 32;

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.key.to_le_bytes());
        self.partitions.iter().for_each(|partition| to.extend_from_slice(&partition.to_le_bytes()));
        self.offsets.iter().for_each(|offset| to.extend_from_slice(&offset.to_le_bytes()));
    }

    fn read(mut from: &[u8]) -> Self {
        let from = &mut from;
        Self {
            key: u64::from_le_bytes(take(from)),
            partitions: [(); 2].map(|()| i32::from_le_bytes(take(from))),
            offsets: [(); 2].map(|()| i64::from_le_bytes(take(from))),
        }
    }
}

/// Records of one key that one log has alone.
struct Alone {
    count: u64,
    first: Lowest<(Place, Entry)>,
}

pub(in crate::verify) struct ByKey {
    tally: Tally,
    /// The group of records without a key: nothing says which of them belong together, and their order is nobody's.
    keyless: u64,
    show: usize,
    seen: Option<Seen>,
    alone: [Alone; 2],
    /// The pair before, and how far `to` got within its order.
    before: Option<(Pair, i64)>,
}

impl ByKey {
    pub(in crate::verify) fn new(rules: &Rules, keyless: u64) -> Self {
        let alone = [(); 2].map(|()| Alone::new(rules.show));
        Self { tally: Tally::new(rules), keyless, show: rules.show, seen: None, alone, before: None }
    }

    /// Takes the next entry, in their order; `pair` gets what is to be given to [`Self::order`], sorted.
    ///
    /// # Errors
    /// Those of `pair`.
    pub(in crate::verify) fn take(
        &mut self,
        entry: Entry,
        pair: &mut dyn FnMut(Pair) -> io::Result<()>,
    ) -> io::Result<()> {
        match &mut self.seen {
            Some(seen) if seen.base.is_same(&entry) => {
                seen.add(entry);
                return Ok(());
            }
            Some(seen) if seen.base.group == entry.group => self.close(pair)?,
            _ => self.close_key(pair)?,
        }
        self.seen = Some(Seen::new(entry));
        Ok(())
    }

    /// After the last entry.
    ///
    /// # Errors
    /// Those of `pair`.
    pub(in crate::verify) fn end_entries(&mut self, pair: &mut dyn FnMut(Pair) -> io::Result<()>) -> io::Result<()> {
        self.close_key(pair)
    }

    /// Takes the next pair, in their order.
    pub(in crate::verify) fn order(&mut self, pair: Pair) {
        let [from, to] = pair.offsets;
        let furthest = match &self.before {
            Some((before, furthest)) if (before.key, before.partitions) == (pair.key, pair.partitions) => *furthest,
            _ => to,
        };
        if to < furthest {
            let place = |which: Which, offset| Some(Place { partition: pair.partitions[which.index()], offset });
            let (from, to) = (place(Which::From, from), place(Which::To, to));
            self.tally.is_reordered(Difference::new(Kind::Reordered, from, to));
        }
        self.before = Some((pair, furthest.max(to)));
    }

    pub(in crate::verify) fn end(self) -> Tally {
        self.tally
    }

    fn close(&mut self, pair: &mut dyn FnMut(Pair) -> io::Result<()>) -> io::Result<()> {
        let Some(seen) = self.seen.take() else { return Ok(()) };
        self.tally.duplicates_of(&seen);
        match seen.first {
            [Some(from), Some(to)] => {
                self.tally.has_both([from, to], None, None);
                if seen.base.group != self.keyless {
                    let partitions = [from.place.partition, to.place.partition];
                    let offsets = [from.place.offset, to.place.offset];
                    pair(Pair { key: seen.base.group, partitions, offsets })?;
                }
            }
            [Some(entry), None] | [None, Some(entry)] if seen.base.group == self.keyless => {
                self.tally.lacks(&entry, None);
            }
            [Some(entry), None] | [None, Some(entry)] => self.alone[entry.which().index()].take(entry),
            [None, None] => {}
        }
        Ok(())
    }

    fn close_key(&mut self, pair: &mut dyn FnMut(Pair) -> io::Result<()>) -> io::Result<()> {
        self.close(pair)?;
        let show = self.show;
        let [missing, extra] = self.alone.each_mut().map(|alone| std::mem::replace(alone, Alone::new(show)));
        let both = missing.count.min(extra.count);
        let (missing_count, extra_count) = (missing.count - both, extra.count - both);
        let (missing, extra) = (missing.first.sorted(), extra.first.sorted());
        let shown = usize::try_from(both).unwrap_or(usize::MAX);
        for ((_, from), (_, to)) in missing.iter().zip(&extra).take(shown) {
            let mut difference = Difference::new(Kind::Different, Some(from.place), Some(to.place));
            difference.what = from.differs_in(to);
            // Pairs stand before what is left over, so that the lowest of each side are enough to know the first of all.
            difference.at = from.place.min(to.place);
            self.tally.shown.take(difference);
        }
        for (place, _) in missing.iter().skip(shown) {
            self.tally.shown.take(Difference::new(Kind::Missing, Some(*place), None));
        }
        for (place, _) in extra.iter().skip(shown) {
            self.tally.shown.take(Difference::new(Kind::Extra, None, Some(*place)));
        }
        self.tally.different += both;
        self.tally.missing += missing_count;
        self.tally.extra += extra_count;
        Ok(())
    }
}

impl Alone {
    fn new(show: usize) -> Self {
        Self { count: 0, first: Lowest::new(show) }
    }

    fn take(&mut self, entry: Entry) {
        self.count += 1;
        self.first.take((entry.place, entry));
    }
}
