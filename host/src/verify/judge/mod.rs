//! The judge: walks sorted digests, counts, and keeps the first differences. No IO.
//!
//! Both ways to compare ([`lineage`], [`key`]) see the entries of one record one after the other. The first of each log
//! is compared; all further ones are duplicates, as deliveries at least once make them.

use std::{collections::BinaryHeap, time::Duration};

use super::{
    By, Rules,
    digest::{Entry, Which},
    report::{CameFrom, Difference, Kind, Report, SideReport},
};

mod key;
mod lineage;

pub(super) use key::ByKey;
pub(super) use lineage::ByLineage;

/// The entries of one record.
struct Seen {
    first: [Option<Entry>; 2],
    count: [u64; 2],
    /// The first that holds something else than the first of all.
    odd: Option<Entry>,
    base: Entry,
}

impl Seen {
    fn new(entry: Entry) -> Self {
        let mut seen = Self { first: [None; 2], count: [0; 2], odd: None, base: entry };
        seen.add(entry);
        seen
    }

    fn add(&mut self, entry: Entry) {
        let which = entry.which().index();
        self.first[which].get_or_insert(entry);
        self.count[which] += 1;
        if entry.content != self.base.content {
            self.odd.get_or_insert(entry);
        }
    }
}

/// Counts and first differences.
pub(super) struct Tally {
    same_partitions: bool,
    strict: bool,
    by: By,
    same: u64,
    missing: u64,
    extra: u64,
    different: u64,
    reordered: u64,
    duplicates: [u64; 2],
    outside: u64,
    shown: Lowest<Difference>,
}

impl Tally {
    pub(super) fn new(rules: &Rules) -> Self {
        Self {
            same_partitions: rules.same_partitions,
            strict: rules.strict,
            by: rules.by,
            same: 0,
            missing: 0,
            extra: 0,
            different: 0,
            reordered: 0,
            duplicates: [0; 2],
            outside: 0,
            shown: Lowest::new(rules.show),
        }
    }

    fn duplicates_of(&mut self, seen: &Seen) {
        self.duplicates.iter_mut().zip(seen.count).for_each(|(sum, count)| *sum += count.saturating_sub(1));
    }

    fn lacks(&mut self, entry: &Entry, came_from: Option<CameFrom>) {
        let difference = match entry.which() {
            Which::From => {
                self.missing += 1;
                Difference::new(Kind::Missing, Some(entry.place), None)
            }
            Which::To => {
                self.extra += 1;
                Difference::new(Kind::Extra, None, Some(entry.place))
            }
        };
        self.shown.take(Difference { came_from, ..difference });
    }

    /// Both logs have it. `odd` is one of its entries that holds something else than `base`.
    fn has_both(&mut self, [from, to]: [Entry; 2], odd: Option<(Entry, Entry)>, came_from: Option<CameFrom>) {
        let mut difference = Difference::new(Kind::Different, Some(from.place), Some(to.place));
        if let Some((odd, base)) = odd {
            difference.what = base.differs_in(&odd);
            match odd.which() {
                Which::From => (difference.at, difference.from) = (odd.place, Some(odd.place)),
                Which::To => difference.to = Some(odd.place),
            }
        }
        if self.same_partitions && from.place.partition != to.place.partition {
            difference.what.push("partition");
        }
        if difference.what.is_empty() {
            self.same += 1;
            return;
        }
        self.different += 1;
        self.shown.take(Difference { came_from, ..difference });
    }

    fn is_reordered(&mut self, difference: Difference) {
        self.reordered += 1;
        self.shown.take(difference);
    }

    pub(super) fn report(self, from: SideReport, to: SideReport, took: Duration) -> Report {
        let Self { same, missing, extra, different, reordered, duplicates, outside, .. } = self;
        let twice = duplicates.iter().sum();
        Report {
            equal: missing + extra + different + reordered == 0 && !(self.strict && twice > 0),
            by: match self.by {
                By::Lineage => "lineage",
                By::Key => "key",
            },
            from: SideReport { duplicates: duplicates[Which::From.index()], ..from },
            to: SideReport { duplicates: duplicates[Which::To.index()], ..to },
            same,
            missing,
            extra,
            different,
            reordered,
            duplicates: twice,
            outside,
            differences: self.shown.sorted(),
            seconds: took.as_secs_f64(),
        }
    }
}

/// The lowest of many, so many at most.
struct Lowest<T> {
    most: usize,
    heap: BinaryHeap<T>,
}

impl<T: Ord> Lowest<T> {
    fn new(most: usize) -> Self {
        Self { most, heap: BinaryHeap::new() }
    }

    fn take(&mut self, item: T) {
        self.heap.push(item);
        if self.heap.len() > self.most {
            self.heap.pop();
        }
    }

    fn sorted(self) -> Vec<T> {
        self.heap.into_sorted_vec()
    }
}
