//! The comparison against a naive model: logs are damaged at random, and verdict, counts and the differences named have
//! to be the model's, which keeps all records in maps and says what the words mean.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    By, Ignored, Rules,
    digest::{Digester, Which, merge},
    judge::{ByKey, ByLineage},
    report::{Kind, Place, Report},
};
use crate::{batch::MemoryRows, kafka::LineageWriter};

/// Names of the topics under test: one without lineage is the record at its place in the other.
const TOPICS: [&str; 2] = ["log", "log"];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Content {
    key: Option<u8>,
    value: Option<u8>,
    header: u8,
    timestamp: i64,
}

/// Topic, partition, offset and number of a record at its source.
type Origin = (String, i32, i64, u32);

#[derive(Clone, Debug)]
struct Record {
    content: Content,
    origin: Option<Origin>,
}

/// Records by partition, in order.
type Log = Vec<Vec<Record>>;

#[derive(Clone, Debug)]
enum Damage {
    Drop(usize),
    /// Once more, behind all others of its partition or of another.
    Again(usize, usize),
    Swap(usize, usize),
    Value(usize, u8),
    Key(usize, Option<u8>),
    Timestamp(usize),
    Move(usize, usize),
    LoseLineage(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = 0usize..1000;
    prop_oneof![
        at.clone().prop_map(Damage::Drop),
        (at.clone(), at.clone()).prop_map(|(at, to)| Damage::Again(at, to)),
        (at.clone(), at.clone()).prop_map(|(at, to)| Damage::Swap(at, to)),
        (at.clone(), 0u8..4).prop_map(|(at, value)| Damage::Value(at, value)),
        (at.clone(), prop::option::of(0u8..4)).prop_map(|(at, key)| Damage::Key(at, key)),
        at.clone().prop_map(Damage::Timestamp),
        (at.clone(), at.clone()).prop_map(|(at, to)| Damage::Move(at, to)),
        at.prop_map(Damage::LoseLineage),
    ]
}

fn apply(log: &mut Log, damage: &Damage) {
    let partitions = log.len();
    let places: Vec<(usize, usize)> = log
        .iter()
        .enumerate()
        .flat_map(|(partition, records)| (0..records.len()).map(move |row| (partition, row)))
        .collect();
    if places.is_empty() {
        return;
    }
    let at = |number: usize| places[number % places.len()];
    match *damage {
        Damage::Drop(number) => drop(log[at(number).0].remove(at(number).1)),
        Damage::Again(number, to) => {
            let again = log[at(number).0][at(number).1].clone();
            let to = if to % 4 > 0 { at(number).0 } else { to % partitions };
            log[to].push(again);
        }
        Damage::Swap(one, two) => {
            let (one, two) = (at(one), at(two));
            let kept = log[one.0][one.1].clone();
            log[one.0][one.1] = log[two.0][two.1].clone();
            log[two.0][two.1] = kept;
        }
        Damage::Value(number, value) => log[at(number).0][at(number).1].content.value = Some(value),
        Damage::Key(number, key) => log[at(number).0][at(number).1].content.key = key,
        Damage::Timestamp(number) => log[at(number).0][at(number).1].content.timestamp += 1,
        Damage::Move(number, to) => {
            let moved = log[at(number).0].remove(at(number).1);
            log[to % partitions].push(moved);
        }
        Damage::LoseLineage(number) => log[at(number).0][at(number).1].origin = None,
    }
}

/// A log of records from two source partitions, and the copy that a sound pipeline makes of it.
fn logs() -> impl Strategy<Value = [Log; 2]> {
    let record = (prop::option::of(0u8..3), prop::option::of(0u8..3), 0u8..2, 0u32..3);
    let records = prop::collection::vec(record, 0..40);
    let damages = || prop::collection::vec(damage(), 0..6);
    (records, 1usize..4, 1usize..4, any::<bool>(), damages(), damages()).prop_map(
        |(records, one, two, marked, of_from, of_to)| {
            let mut logs = [vec![Vec::new(); one], vec![Vec::new(); two]];
            let mut next = [0i64; 2];
            for (number, (key, value, header, nth)) in records.into_iter().enumerate() {
                let source = number % 2;
                let content = Content { key, value, header, timestamp: number as i64 / 3 };
                let origin = ("source".to_owned(), source as i32, next[source], nth);
                next[source] += 1;
                for log in &mut logs {
                    let partition = key.map_or(source, usize::from) % log.len();
                    let origin = marked.then(|| origin.clone());
                    log[partition].push(Record { content: content.clone(), origin });
                }
            }
            let [mut from, mut to] = logs;
            of_from.iter().for_each(|damage| apply(&mut from, damage));
            of_to.iter().for_each(|damage| apply(&mut to, damage));
            [from, to]
        },
    )
}

fn rules() -> impl Strategy<Value = Rules> {
    let by = prop_oneof![Just(By::Lineage), Just(By::Key)];
    (by, any::<[bool; 6]>(), 0usize..30).prop_map(|(by, on, show)| Rules {
        by,
        overlap: on[0] && by == By::Lineage,
        skip_unmarked: on[1] && by == By::Lineage,
        same_partitions: on[2],
        strict: on[3],
        ignore_headers: if on[4] { Ignored::Named(vec!["h".into()]) } else { Ignored::None },
        ignore_timestamps: on[5],
        show,
    })
}

/// What is compared of a content.
fn seen(rules: &Rules, content: &Content) -> Content {
    let header = if matches!(rules.ignore_headers, Ignored::None) { content.header } else { 0 };
    Content { header, timestamp: if rules.ignore_timestamps { 0 } else { content.timestamp }, ..content.clone() }
}

/// As the program does it.
fn judged(rules: &Rules, logs: &[Log; 2]) -> Report {
    let digester = Digester::new(rules);
    let mut entries = Vec::new();
    let scanned = [Which::From, Which::To].map(|which| {
        let mut scanner = digester.scanner(which, TOPICS[which.index()]);
        for (partition, records) in (0..).zip(&logs[which.index()]) {
            let mut rows = MemoryRows::default();
            let mut writer = LineageWriter::default();
            for (offset, Record { content, origin }) in (0..).zip(records) {
                let (key, value, header) =
                    (content.key.map(|key| [key]), content.value.map(|value| [value]), [content.header]);
                let mut push = |lineage: &[(&str, &[u8])]| {
                    let mut headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"h", Some(&header))];
                    headers.extend(lineage.iter().map(|(name, value)| (name.as_bytes(), Some(*value))));
                    let (key, value) = (key.as_ref().map(<[u8; 1]>::as_slice), value.as_ref().map(<[u8; 1]>::as_slice));
                    rows.push(offset, content.timestamp, key, value, &headers);
                };
                match origin {
                    None => push(&[]),
                    Some((topic, partition, offset, nth)) => {
                        let topic = topic.as_bytes();
                        let origin = crate::kafka::Origin { topic, partition: *partition, offset: *offset, nth: *nth };
                        writer.with(origin, push);
                    }
                }
            }
            entries.extend((0..records.len()).filter_map(|row| scanner.entry(partition, &rows, row)));
        }
        scanner.finish(logs[which.index()].len())
    });
    let [(from_sources, from), (to_sources, to)] = scanned;
    let sources = merge(from_sources, to_sources);
    entries.sort_unstable();
    let tally = match rules.by {
        By::Lineage => {
            let mut judge = ByLineage::new(rules, &sources);
            entries.into_iter().for_each(|entry| judge.take(entry));
            judge.end()
        }
        By::Key => {
            let (mut judge, mut pairs) = (ByKey::new(rules, digester.keyless()), Vec::new());
            let mut keep = |pair| {
                pairs.push(pair);
                Ok(())
            };
            entries.into_iter().for_each(|entry| judge.take(entry, &mut keep).unwrap());
            judge.end_entries(&mut keep).unwrap();
            pairs.sort_unstable();
            pairs.into_iter().for_each(|pair| judge.order(pair));
            judge.end()
        }
    };
    tally.report(from, to, std::time::Duration::ZERO)
}

type Found = (Place, Kind, Option<Place>, Option<Place>);

/// What is expected.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    same: u64,
    duplicates: [u64; 2],
    outside: u64,
    found: BTreeSet<Found>,
}

impl Expected {
    fn find(&mut self, kind: Kind, from: Option<Place>, to: Option<Place>) {
        self.find_at(from.or(to).unwrap(), kind, from, to);
    }

    fn find_at(&mut self, at: Place, kind: Kind, from: Option<Place>, to: Option<Place>) {
        assert!(self.found.insert((at, kind, from, to)), "once");
    }

    fn count(&self, kind: Kind) -> u64 {
        self.found.iter().filter(|(_, found, ..)| *found == kind).count() as u64
    }
}

/// All records of both logs by what makes them the same one, each side in the order of its places.
fn grouped<K: Ord>(
    logs: &[Log; 2],
    identity: impl Fn(usize, Place, &Record) -> Option<K>,
) -> BTreeMap<K, [Vec<(Place, Record)>; 2]> {
    let mut groups: BTreeMap<K, [Vec<(Place, Record)>; 2]> = BTreeMap::new();
    for (side, log) in logs.iter().enumerate() {
        for (partition, records) in (0..).zip(log) {
            for (offset, record) in (0..).zip(records) {
                let place = Place { partition, offset };
                if let Some(key) = identity(side, place, record) {
                    groups.entry(key).or_default()[side].push((place, record.clone()));
                }
            }
        }
    }
    groups
}

fn by_lineage(rules: &Rules, logs: &[Log; 2]) -> Expected {
    let mut expected = Expected::default();
    let mut groups = grouped(logs, |side, Place { partition, offset }, record| match &record.origin {
        Some(origin) => Some(origin.clone()),
        None if rules.skip_unmarked => None,
        None => Some((TOPICS[side].to_owned(), partition, offset, 0)),
    });
    if rules.overlap {
        let ends = |side: usize, topic: &str, partition: i32| {
            let of =
                groups.iter().filter(|((t, p, ..), sides)| t == topic && *p == partition && !sides[side].is_empty());
            let offsets: Vec<i64> = of.map(|((_, _, offset, _), _)| *offset).collect();
            Some((*offsets.iter().min()?, *offsets.iter().max()?))
        };
        let is_outside = |(topic, partition, offset, _): &Origin| match [0, 1].map(|side| ends(side, topic, *partition))
        {
            [Some(from), Some(to)] => *offset < from.0.max(to.0) || *offset > from.1.min(to.1),
            [Some(_), None] => true,
            [None, _] => false,
        };
        let outside: Vec<Origin> = groups.keys().filter(|origin| is_outside(origin)).cloned().collect();
        for origin in outside {
            expected.outside += groups.remove(&origin).unwrap().iter().map(|side| side.len() as u64).sum::<u64>();
        }
    }
    for (origin, sides) in &groups {
        for (side, records) in sides.iter().enumerate() {
            expected.duplicates[side] += (records.len() as u64).saturating_sub(1);
            let Some((place, _)) = records.first() else { continue };
            // An earlier record of the same source lies behind it in the same partition.
            let overtaken = groups.range(..origin.clone()).any(|((topic, partition, ..), sides)| {
                let first = sides[side].first().map(|(place, _)| place);
                (topic, partition) == (&origin.0, &origin.1)
                    && first.is_some_and(|first| first.partition == place.partition && first.offset > place.offset)
            });
            if overtaken {
                let on = |this: usize| (this == side).then_some(*place);
                expected.find(Kind::Reordered, on(0), on(1));
            }
        }
        let first = |side: usize| sides[side].first().map(|(place, _)| *place);
        match [first(0), first(1)] {
            [Some(from), Some(to)] => {
                let base = seen(rules, &sides[0][0].1.content);
                let odd = |side: usize| sides[side].iter().find(|(_, record)| seen(rules, &record.content) != base);
                let moved = rules.same_partitions && from.partition != to.partition;
                match (odd(0), odd(1)) {
                    (Some((place, _)), _) => expected.find(Kind::Different, Some(*place), Some(to)),
                    (None, Some((place, _))) => expected.find(Kind::Different, Some(from), Some(*place)),
                    (None, None) if moved => expected.find(Kind::Different, Some(from), Some(to)),
                    (None, None) => expected.same += 1,
                }
            }
            [Some(from), None] => expected.find(Kind::Missing, Some(from), None),
            [None, to] => expected.find(Kind::Extra, None, to),
        }
    }
    expected
}

fn by_key(rules: &Rules, logs: &[Log; 2]) -> Expected {
    let mut expected = Expected::default();
    let groups = grouped(logs, |_, _, record| Some(seen(rules, &record.content)));
    let keys: BTreeSet<Option<u8>> = groups.keys().map(|content| content.key).collect();
    for key in keys {
        let of_key: Vec<_> = groups.iter().filter(|(content, _)| content.key == key).map(|(_, sides)| sides).collect();
        let (mut alone, mut pairs) = ([BTreeSet::new(), BTreeSet::new()], Vec::new());
        for sides in of_key {
            for (side, records) in sides.iter().enumerate() {
                expected.duplicates[side] += (records.len() as u64).saturating_sub(1);
            }
            match [&sides[0], &sides[1]].map(|records| records.first().map(|(place, _)| *place)) {
                [Some(from), Some(to)] => {
                    pairs.push((from, to));
                    if rules.same_partitions && from.partition != to.partition {
                        expected.find(Kind::Different, Some(from), Some(to));
                    } else {
                        expected.same += 1;
                    }
                }
                [from, to] => {
                    alone[0].extend(from);
                    alone[1].extend(to);
                }
            }
        }
        let both = if key.is_some() { alone[0].len().min(alone[1].len()) } else { 0 };
        for (from, to) in alone[0].iter().zip(&alone[1]).take(both) {
            expected.find_at(*from.min(to), Kind::Different, Some(*from), Some(*to));
        }
        alone[0].iter().skip(both).for_each(|place| expected.find(Kind::Missing, Some(*place), None));
        alone[1].iter().skip(both).for_each(|place| expected.find(Kind::Extra, None, Some(*place)));
        for (from, to) in pairs.iter().filter(|_| key.is_some()) {
            let overtaken = pairs.iter().any(|(earlier, behind)| {
                (earlier.partition, behind.partition) == (from.partition, to.partition)
                    && earlier.offset < from.offset
                    && behind.offset > to.offset
            });
            if overtaken {
                expected.find(Kind::Reordered, Some(*from), Some(*to));
            }
        }
    }
    expected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn finds_what_the_model_finds(logs in logs(), rules in rules()) {
        let report = judged(&rules, &logs);
        let expected = match rules.by {
            By::Lineage => by_lineage(&rules, &logs),
            By::Key => by_key(&rules, &logs),
        };
        let twice: u64 = expected.duplicates.iter().sum();
        prop_assert_eq!(report.same, expected.same);
        prop_assert_eq!(
            [report.missing, report.extra, report.different, report.reordered],
            [Kind::Missing, Kind::Extra, Kind::Different, Kind::Reordered].map(|kind| expected.count(kind))
        );
        prop_assert_eq!([report.from.duplicates, report.to.duplicates], expected.duplicates);
        prop_assert_eq!((report.duplicates, report.outside), (twice, expected.outside));
        prop_assert_eq!(report.equal, expected.found.is_empty() && !(rules.strict && twice > 0));
        let named: Vec<Found> = report.differences.iter().map(|found| (found.at, found.kind, found.from, found.to)).collect();
        let first: Vec<Found> = expected.found.iter().take(rules.show).copied().collect();
        prop_assert_eq!(named, first);
    }
}

fn plain(by: By) -> Rules {
    Rules {
        by,
        overlap: false,
        skip_unmarked: false,
        same_partitions: false,
        strict: false,
        ignore_headers: Ignored::None,
        ignore_timestamps: false,
        show: 10,
    }
}

fn record(key: u8, value: u8, offset: i64) -> Record {
    let content = Content { key: Some(key), value: Some(value), header: 0, timestamp: offset };
    Record { content, origin: Some(("source".into(), 0, offset, 0)) }
}

#[test]
fn a_sound_copy_with_duplicates_is_equal_unless_that_is_asked_for() {
    let from: Log = vec![(0..9).map(|number| record(number % 3, number, number.into())).collect()];
    let mut to = from.clone();
    // Delivered again from the fifth on, as after a kill.
    let again = to[0][4..].to_vec();
    to[0].extend(again);
    for by in [By::Lineage, By::Key] {
        let report = judged(&plain(by), &[from.clone(), to.clone()]);
        assert!(report.equal, "{report:?}");
        assert_eq!((report.same, report.duplicates, report.to.duplicates), (9, 5, 5));
        assert!(!judged(&Rules { strict: true, ..plain(by) }, &[from.clone(), to.clone()]).equal);
    }
}

#[test]
fn what_differs_is_named_part_by_part() {
    let from: Log = vec![vec![record(1, 1, 0), record(1, 2, 1)]];
    let changes: [(&str, fn(&mut Record)); 4] = [
        ("key", |record| record.content.key = None),
        ("value", |record| record.content.value = None),
        ("headers", |record| record.content.header = 7),
        ("timestamp", |record| record.content.timestamp = 99),
    ];
    for (part, change) in changes {
        let mut to = from.clone();
        change(&mut to[0][1]);
        let report = judged(&plain(By::Lineage), &[from.clone(), to.clone()]);
        let [difference] = report.differences.as_slice() else { panic!("{report:?}") };
        assert_eq!((difference.kind, difference.what.as_slice()), (Kind::Different, [part].as_slice()));
        assert_eq!((difference.from, difference.to), (Some(Place { partition: 0, offset: 1 }), difference.from));
        let came_from = difference.came_from.as_ref().unwrap();
        assert_eq!((came_from.topic.as_str(), came_from.partition, came_from.offset), ("source", 0, 1));
        let by_key = judged(&plain(By::Key), &[from.clone(), to]);
        let counts = (by_key.different, by_key.missing, by_key.extra);
        assert_eq!(counts, if part == "key" { (0, 1, 1) } else { (1, 0, 0) }, "{part}");
    }
}

#[test]
fn the_first_difference_is_named_also_where_one_key_has_more_than_are_named() {
    let from: Log = vec![vec![], vec![], vec![record(1, 1, 0)]];
    let to: Log = vec![vec![record(1, 2, 0), record(1, 3, 1)]];
    let place = |partition, offset| Some(Place { partition, offset });
    let report = |show| judged(&Rules { show, ..plain(By::Key) }, &[from.clone(), to.clone()]);
    let named =
        |show| -> Vec<_> { report(show).differences.iter().map(|found| (found.kind, found.from, found.to)).collect() };
    let both = [(Kind::Different, place(2, 0), place(0, 0)), (Kind::Extra, None, place(0, 1))];
    assert_eq!((named(1), named(2)), (both[..1].to_vec(), both.to_vec()));
}
