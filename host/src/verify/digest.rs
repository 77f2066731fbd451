//! A record as it is compared: who it is, where it lies, and what it holds, in 48 bytes.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher as _, Hash, Hasher as _},
};

use super::{
    By, Ignored, Rules,
    report::{Place, SideReport},
    sort::Fixed,
};
use crate::{
    batch::Rows,
    kafka::{LineageReader, Origin},
};

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    From,
    To,
}

impl Which {
    pub(super) fn option(self) -> &'static str {
        match self {
            Self::From => "--from",
            Self::To => "--to",
        }
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// Parts of a record, in the order of [`Entry::parts`].
pub(super) const PARTS: [&str; 4] = ["key", "value", "headers", "timestamp"];

/// One record. The order puts those together that may be the same one, `from` first, each side by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// A source partition, or a key.
    pub(super) group: u64,
    /// Which record of the group: its offset there, or a digest of all that is compared.
    pub(super) id: u64,
    /// Which of those that one record became, and below that which log.
    pub(super) nth_and_which: u32,
    pub(super) place: Place,
    /// Of all that is compared.
    pub(super) content: u64,
    /// A part each, to say what differs: too short to say that nothing does.
    pub(super) parts: [u16; 4],
}

impl Entry {
    pub(super) fn which(&self) -> Which {
        if self.nth_and_which & 1 == 0 { Which::From } else { Which::To }
    }

    /// Whether both are the same record.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.group, self.id, self.nth_and_which >> 1) == (other.group, other.id, other.nth_and_which >> 1)
    }

    /// The parts in which two records differ.
    pub(super) fn differs_in(&self, other: &Self) -> Vec<&'static str> {
        let parts = self.parts.iter().zip(&other.parts).zip(PARTS);
        let found: Vec<_> = parts.filter(|((one, two), _)| one != two).map(|(_, name)| name).collect();
        if found.is_empty() && self.content != other.content { vec!["content"] } else { found }
    }
}

impl Fixed for Entry {
    const SIZE: usize = 48;

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.group.to_le_bytes());
        to.extend_from_slice(&self.id.to_le_bytes());
        to.extend_from_slice(&self.nth_and_which.to_le_bytes());
        to.extend_from_slice(&self.place.partition.to_le_bytes());
        to.extend_from_slice(&self.place.offset.to_le_bytes());
        to.extend_from_slice(&self.content.to_le_bytes());
        self.parts.iter().for_each(|part| to.extend_from_slice(&part.to_le_bytes()));
    }

    fn read(mut from: &[u8]) -> Self {
        let from = &mut from;
        Self {
            group: u64::from_le_bytes(take(from)),
            id: u64::from_le_bytes(take(from)),
            nth_and_which: u32::from_le_bytes(take(from)),
            place: Place { partition: i32::from_le_bytes(take(from)), offset: i64::from_le_bytes(take(from)) },
            content: u64::from_le_bytes(take(from)),
            parts: [(); 4].map(|()| u16::from_le_bytes(take(from))),
        }
    }
}

/// The next bytes; zeros where there are too few.
pub(super) fn take<const N: usize>(from: &mut &[u8]) -> [u8; N] {
    let Some((head, rest)) = from.split_first_chunk::<N>() else { return [0; N] };
    *from = rest;
    *head
}

/// A partition that records came from, and how far each log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// Lowest and highest offset, of `from` and of `to`.
    pub(super) ranges: [Option<(i64, i64)>; 2],
}

impl Source {
    fn reach(&mut self, which: Which, offset: i64) {
        let range = self.ranges[which.index()].get_or_insert((offset, offset));
        *range = (range.0.min(offset), range.1.max(offset));
    }
}

/// What both logs know of where their records came from.
pub(super) fn merge(mut one: HashMap<u64, Source>, other: HashMap<u64, Source>) -> HashMap<u64, Source> {
    for (group, source) in other {
        match one.get_mut(&group) {
            Some(known) => known.ranges[Which::To.index()] = source.ranges[Which::To.index()],
            None => drop(one.insert(group, source)),
        }
    }
    one
}

/// Makes digests, the same for both logs. Keyed anew for each run: nobody can prepare contents that look the same.
pub(super) struct Digester {
    state: RandomState,
    by: By,
    skip_unmarked: bool,
    ignored: Ignored,
    ignore_timestamps: bool,
}

impl Digester {
    pub(super) fn new(rules: &Rules) -> Self {
        Self {
            state: RandomState::new(),
            by: rules.by,
            skip_unmarked: rules.skip_unmarked,
            ignored: rules.ignore_headers.clone(),
            ignore_timestamps: rules.ignore_timestamps,
        }
    }

    /// The group of records without a key.
    pub(super) fn keyless(&self) -> u64 {
        self.hash(&None::<&[u8]>)
    }

    fn hash(&self, what: &impl Hash) -> u64 {
        self.state.hash_one(what)
    }

    fn ignores(&self, name: &[u8]) -> bool {
        match &self.ignored {
            Ignored::None => false,
            Ignored::Named(names) => names.iter().any(|known| known.as_bytes() == name),
            Ignored::All => true,
        }
    }

    pub(super) fn scanner<'a>(&'a self, which: Which, topic: &'a str) -> Scanner<'a> {
        let report = SideReport { topic: topic.to_owned(), ..SideReport::default() };
        Scanner { digester: self, which, topic, lineage: LineageReader::default(), sources: HashMap::new(), report }
    }
}

/// Makes entries of the records of one log.
pub(super) struct Scanner<'a> {
    digester: &'a Digester,
    which: Which,
    topic: &'a str,
    lineage: LineageReader,
    sources: HashMap<u64, Source>,
    report: SideReport,
}

impl Scanner<'_> {
    /// Records seen.
    pub(super) fn records(&self) -> u64 {
        self.report.records
    }

    /// The entry of a row; none for one that is left out.
    pub(super) fn entry(&mut self, partition: i32, rows: &dyn Rows, row: usize) -> Option<Entry> {
        let Self { digester, lineage, .. } = self;
        self.report.records += 1;
        lineage.clear();
        let mut headers = digester.state.build_hasher();
        rows.headers(row, &mut |name, value| {
            if !lineage.take(name, value) && !digester.ignores(name) {
                (name, value).hash(&mut headers);
            }
        });
        let headers = headers.finish();
        let (key, value) = (digester.hash(&rows.key(row)), digester.hash(&rows.value(row)));
        let timestamp = if digester.ignore_timestamps { 0 } else { digester.hash(&rows.timestamp(row)) };
        let parts = [key, value, headers, timestamp].map(|part| part as u16);
        let content = digester.hash(&[key, value, headers, timestamp]);
        let place = Place { partition, offset: rows.offset(row) };
        let origin = lineage.origin();
        if origin.is_none() {
            self.report.unmarked += 1;
        }
        let (group, id, nth) = match digester.by {
            By::Key => (key, content, 0),
            By::Lineage if origin.is_none() && digester.skip_unmarked => return None,
            By::Lineage => {
                let own = Origin { topic: self.topic.as_bytes(), partition, offset: place.offset, nth: 0 };
                let origin = origin.unwrap_or(own);
                let group = digester.hash(&(origin.topic, origin.partition));
                let source = self.sources.entry(group).or_insert_with(|| Source {
                    topic: String::from_utf8_lossy(origin.topic).into_owned(),
                    partition: origin.partition,
                    ranges: [None; 2],
                });
                source.reach(self.which, origin.offset);
                (group, origin.offset as u64, origin.nth)
            }
        };
        let nth_and_which = (nth << 1) | self.which as u32;
        Some(Entry { group, id, nth_and_which, place, content, parts })
    }

    pub(super) fn finish(mut self, partitions: usize) -> (HashMap<u64, Source>, SideReport) {
        self.report.partitions = partitions;
        (self.sources, self.report)
    }
}
