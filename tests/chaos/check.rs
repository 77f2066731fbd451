//! What went in against what is there now.

use std::collections::{BTreeMap, HashMap};

use e2e::Keys;
use rdkafka::{Message as _, message::BorrowedMessage};
use serde_json::Value;

use super::{
    findings::Findings,
    read,
    record::{self, PARTITIONS, Word, passed},
    truth::{Row, Truth},
    world::World,
};

impl Truth {
    /// A topic in which each record is to be `copies` times, in the order of its partition. `doubled` is shown the
    /// time of each that was there before.
    pub(crate) fn topic(
        &self,
        world: &World,
        (what, topic): (&'static str, &str),
        doubled_allowed: bool,
        copies: impl Fn(u64, &Row) -> usize,
        mut doubled: impl FnMut(i64),
    ) -> Findings {
        let expected = self.numbered().map(|(number, row)| self.times(number) * copies(number, row) as u64).sum();
        let mut findings = Findings { what, expected, doubled_allowed, ..Findings::default() };
        let mut seen = vec![[0_u8; 2]; self.rows.len()];
        let mut last: HashMap<(i32, i32), (u64, u32)> = HashMap::new();
        read::each(world, &world.topic(topic), |message| {
            findings.found += 1;
            let Some((number, nth)) = self.identify(message) else {
                return findings.wrong(|| read::show(message));
            };
            let row = &self.rows[number as usize];
            if nth as usize >= copies(number, row) {
                return findings.wrong(|| read::show(message));
            }
            let count = &mut seen[number as usize][nth as usize];
            *count = count.saturating_add(1);
            if u64::from(*count) > self.times(number) {
                findings.doubled += 1;
                return doubled(message.timestamp().to_millis().unwrap_or(0));
            }
            if *count > 1 {
                return;
            }
            // Of one input partition, in one output partition, firsts come in order.
            let before = last.entry((row.partition, message.partition())).or_default();
            if *before > (number, nth) {
                findings.misplaced += 1;
                findings.note(|| format!("behind {before:?}: {}", read::show(message)));
            }
            *before = (*before).max((number, nth));
        });
        for (number, row) in self.numbered() {
            let short = |count: &u8| self.times(number).saturating_sub(u64::from(*count));
            let missing: u64 = seen[number as usize].iter().take(copies(number, row)).map(short).sum();
            if missing > 0 {
                findings.lost += missing;
                findings.note(|| format!("lost: number {number}, {}[{}]", row.offset, row.partition));
            }
        }
        findings
    }

    /// Number of a record, and which of its row's, if it is as it should be.
    fn identify(&self, message: &BorrowedMessage<'_>) -> Option<(u64, u32)> {
        let number = read::number(message)?;
        let row = self.rows.get(number as usize)?;
        if read::text(message.key())?.parse() != Ok(row.key) {
            return None;
        }
        let Some(value) = read::text(message.payload()) else {
            return (row.word == Word::Delete).then_some((number, 0));
        };
        if row.word.is_dead() {
            // A dead letter is the record as it was.
            return (record::hash(value) == row.hash).then_some((number, 0));
        }
        let nth = passed(value)?.1;
        self.is(number, nth, value).then_some((number, nth))
    }

    fn compare(&self, what: &'static str, mut found: BTreeMap<u64, String>) -> Findings {
        let state = self.state();
        let mut findings =
            Findings { what, expected: state.len() as u64, found: found.len() as u64, ..Findings::default() };
        for (key, (number, nth)) in state {
            match found.remove(&key) {
                None => {
                    findings.lost += 1;
                    findings.note(|| format!("key {key} is not there, number {number} should be"));
                }
                Some(value) if self.is(number, nth, &value) => {}
                Some(value) => findings.wrong(|| format!("key {key} should have number {number}, has {value}")),
            }
        }
        found.iter().for_each(|(key, value)| findings.wrong(|| format!("key {key} should not be there: {value}")));
        findings
    }

    pub(crate) fn documents_by_key(&self, world: &World) -> Findings {
        let documents = world.state.documents();
        let found = documents.into_iter().filter_map(|(id, (_, value))| Some((id.parse().ok()?, plain(&value))));
        self.compare("elasticsearch, last of each key", found.collect())
    }

    pub(crate) fn strings_by_key(&self, there: &mut Keys) -> Findings {
        let keys: Vec<u64> = (0..record::KEYS).collect();
        let names: Vec<String> = keys.iter().map(|key| format!("k{key}")).collect();
        let values = there.texts(&names);
        let found = keys.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?)));
        self.compare("redis, last of each key", found.collect())
    }

    /// Documents with ids of their own: each sampled record, once.
    pub(crate) fn documents(&self, world: &World) -> Findings {
        let mut found = world.docs.documents();
        let mut findings =
            Findings { what: "elasticsearch, each record", found: found.len() as u64, ..Findings::default() };
        let topic = world.topic("in");
        for partition in 0..PARTITIONS as i32 {
            for (number, row) in self.sampled(partition) {
                for offset in self.offsets(number, row) {
                    findings.expected += 1;
                    match found.remove(&format!("{topic}-{partition}-{offset}")) {
                        None => findings.lost += 1,
                        Some((_, value)) if self.is(number, 0, &plain(&value)) => {}
                        Some((_, value)) => findings.wrong(|| format!("{offset}[{partition}]: {value}")),
                    }
                }
            }
        }
        found.into_iter().for_each(|(id, _)| findings.wrong(|| format!("{id} should not be there")));
        findings
    }

    /// Entries of a stream or a list of each partition: exactly the sampled records, in order.
    pub(crate) fn entries(&self, what: &'static str, entries: impl Fn(i32) -> Vec<String>) -> Findings {
        let mut findings = Findings { what, ..Findings::default() };
        for partition in 0..PARTITIONS as i32 {
            let entries = entries(partition);
            findings.found += entries.len() as u64;
            let mut count: HashMap<u64, u64> = HashMap::new();
            let mut before = None;
            for entry in &entries {
                let said = passed(entry).map(|(said, _)| said.number);
                let Some(number) = said.filter(|number| self.is(*number, 0, entry)) else {
                    findings.wrong(|| entry.clone());
                    continue;
                };
                let times = count.entry(number).or_default();
                *times += 1;
                if *times > self.times(number) {
                    findings.doubled += 1;
                } else if *times == 1 && before > Some(number) {
                    findings.misplaced += 1;
                }
                before = before.max(Some(number));
            }
            for (number, _) in self.sampled(partition) {
                findings.expected += self.times(number);
                let missing = self.times(number).saturating_sub(count.remove(&number).unwrap_or(0));
                if missing > 0 {
                    findings.lost += missing;
                    findings.note(|| format!("lost: number {number}"));
                }
            }
            count.keys().for_each(|number| findings.wrong(|| format!("number {number} should not be there")));
        }
        findings
    }
}

/// A document in the form in which the module wrote it: members in their order, without blanks.
fn plain(document: &Value) -> String {
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    format!(
        r#"{{"n":{},"do":"{}","key":"{}","pad":"{}","nth":{},"mark":"{}"}}"#,
        document["n"],
        text("do"),
        text("key"),
        text("pad"),
        document["nth"],
        text("mark")
    )
}
