//! By lineage: entries come by source partition and in the order of their offsets there, so that the order of each log
//! can be judged against its source.

use std::collections::HashMap;

use super::{Seen, Tally};
use crate::verify::{
    Rules,
    digest::{Entry, Source, Which},
    report::{CameFrom, Difference, Kind},
};

pub(in crate::verify) struct ByLineage<'a> {
    tally: Tally,
    sources: &'a HashMap<u64, Source>,
    overlap: bool,
    seen: Option<Seen>,
    /// Of the source partition under way, by log: how far its records got in each partition.
    furthest: [HashMap<i32, i64>; 2],
}

impl<'a> ByLineage<'a> {
    pub(in crate::verify) fn new(rules: &Rules, sources: &'a HashMap<u64, Source>) -> Self {
        let furthest = [HashMap::new(), HashMap::new()];
        Self { tally: Tally::new(rules), sources, overlap: rules.overlap, seen: None, furthest }
    }

    /// Takes the next entry, in their order.
    pub(in crate::verify) fn take(&mut self, entry: Entry) {
        match &mut self.seen {
            Some(seen) if seen.base.is_same(&entry) => seen.add(entry),
            before => {
                let goes_on = before.as_ref().is_some_and(|seen| seen.base.group == entry.group);
                self.close();
                if !goes_on {
                    self.furthest.iter_mut().for_each(HashMap::clear);
                }
                self.seen = Some(Seen::new(entry));
            }
        }
    }

    /// After the last entry.
    pub(in crate::verify) fn end(mut self) -> Tally {
        self.close();
        self.tally
    }

    fn close(&mut self) {
        let Some(seen) = self.seen.take() else { return };
        let source = self.sources.get(&seen.base.group);
        let offset = seen.base.id as i64;
        if self.overlap && source.is_some_and(|source| is_outside(source, offset)) {
            self.tally.outside += seen.count.iter().sum::<u64>();
            return;
        }
        let came_from = source.map(|Source { topic, partition, .. }| CameFrom {
            topic: topic.clone(),
            partition: *partition,
            offset,
        });
        self.tally.duplicates_of(&seen);
        for entry in seen.first.iter().flatten() {
            let furthest = self.furthest[entry.which().index()].entry(entry.place.partition).or_insert(i64::MIN);
            if entry.place.offset < *furthest {
                let (from, to) = match entry.which() {
                    Which::From => (Some(entry.place), None),
                    Which::To => (None, Some(entry.place)),
                };
                let difference = Difference::new(Kind::Reordered, from, to);
                self.tally.is_reordered(Difference { came_from: came_from.clone(), ..difference });
            }
            *furthest = entry.place.offset.max(*furthest);
        }
        match seen.first {
            [Some(from), Some(to)] => self.tally.has_both([from, to], seen.odd.map(|odd| (odd, seen.base)), came_from),
            [Some(entry), None] | [None, Some(entry)] => self.tally.lacks(&entry, came_from),
            [None, None] => {}
        }
    }
}

/// Whether an offset lies where only one of both logs is: before or behind what the other has of this source, or in a
/// source that the second has not reached at all. That only the second knows a source is no delay.
fn is_outside(source: &Source, offset: i64) -> bool {
    match source.ranges {
        [Some(from), Some(to)] => !(from.0.max(to.0)..=from.1.min(to.1)).contains(&offset),
        [Some(_), None] => true,
        [None, _] => false,
    }
}
