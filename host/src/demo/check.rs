//! The checker: reads what came out and accounts for every record by its number.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::JoinHandle,
    time::Duration,
};

use super::{CLEAN, DEAD, DemoError, PARTITIONS, Progress};
use crate::{
    batch::Rows,
    direct::Choice,
    kafka::{Settings, StartAt},
    source::{BatchPolicy, Source, SourceEvent, SourceSettings},
};

/// What the checker found.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) clean: u64,
    pub(super) dead: u64,
    pub(super) duplicated: u64,
    /// A bit for each number.
    seen: Vec<u64>,
    /// By source partition: the last offset of the first release, and the first of the second.
    edges: BTreeMap<i32, Edge>,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    last_of_first: Option<i64>,
    first_of_second: Option<i64>,
}

impl Checked {
    /// Partitions in which a record before the recorded offset carries the second release's mark, or one from it on
    /// the first's.
    pub(super) fn misplaced(&self, began: &BTreeMap<i32, i64>) -> u64 {
        let wrong = self.edges.iter().filter(|(partition, edge)| {
            let began = began.get(partition).copied();
            let early = edge.first_of_second.is_some_and(|first| began.is_none_or(|began| first < began));
            let late = edge.last_of_first.zip(began).is_some_and(|(last, began)| last >= began);
            early || late
        });
        wrong.count() as u64
    }

    fn take(&mut self, topic: &str, rows: &dyn Rows) {
        for row in 0..rows.len() {
            let number = rows.key(row).and_then(|key| std::str::from_utf8(key).ok()).and_then(|key| key.parse().ok());
            let Some(number): Option<u64> = number else { continue };
            if topic == DEAD {
                self.dead += 1;
            } else {
                self.clean += 1;
                self.place(number, rows, row);
            }
            let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
            if self.seen.len() <= word {
                self.seen.resize(word + 1, 0);
            }
            self.duplicated += u64::from(self.seen[word] & bit != 0);
            self.seen[word] |= bit;
        }
    }

    /// Notes which release a record went through: only the second version masks addresses.
    fn place(&mut self, number: u64, rows: &dyn Rows, row: usize) {
        let (partition, offset) = ((number % PARTITIONS as u64) as i32, (number / PARTITIONS as u64) as i64);
        let masked = rows.value(row).is_some_and(is_masked);
        let edge = self.edges.entry(partition).or_insert(Edge { last_of_first: None, first_of_second: None });
        if masked {
            edge.first_of_second = Some(edge.first_of_second.map_or(offset, |first: i64| first.min(offset)));
        } else {
            edge.last_of_first = Some(edge.last_of_first.map_or(offset, |last: i64| last.max(offset)));
        }
    }
}

/// The generator never writes an address that ends in 0.
fn is_masked(value: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(value, br#""remote_addr":""#) else { return false };
    let address = value.get(at + 15..).unwrap_or_default();
    let end = memchr::memchr(b'"', address).unwrap_or(0);
    address.get(..end).is_some_and(|address| address.ends_with(b".0"))
}

pub(super) fn spawn(
    brokers: &str,
    progress: Arc<Progress>,
) -> Result<JoinHandle<Result<Checked, DemoError>>, DemoError> {
    let settings = SourceSettings {
        client: Choice::Librdkafka,
        kafka: Settings {
            brokers: vec![brokers.to_owned()],
            properties: vec![("fetch.wait.max.ms".into(), "10".into())],
        },
        topics: vec![CLEAN.into(), DEAD.into()],
        group: "wasmill.demo.checker".into(),
        start: StartAt::Earliest,
        batch: BatchPolicy { records: 2000, bytes: 4 << 20, linger: Duration::from_millis(5) },
    };
    let check = move || check(&settings, &progress);
    Ok(std::thread::Builder::new().name("checker".into()).spawn(check)?)
}

fn check(settings: &SourceSettings, progress: &Progress) -> Result<Checked, DemoError> {
    let mut source = Source::new(settings)?;
    let (mut checked, mut events) = (Checked::default(), Vec::new());
    while !progress.stop.load(Relaxed) {
        source.poll(&mut events)?;
        for event in events.drain(..) {
            if let SourceEvent::Revoked { partitions, .. } = event {
                source.release(&partitions)?;
            }
        }
        source.receive(Duration::from_millis(10))?;
        while let Some(batch) = source.next_batch() {
            checked.take(&batch.topic, batch.rows.as_ref());
        }
        progress.checked.store(checked.clean + checked.dead - checked.duplicated, Relaxed);
    }
    Ok(checked)
}
