//! What the brokers' answers mean for the partitions that are read.

use std::{
    collections::{BTreeSet, HashMap},
    time::Instant as StdInstant,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Asked, Done, Duration, REFRESH, SILENCE, Task, pause};
use crate::direct::{
    api::{self, Code},
    connection::ConnectionError,
    fetch::{Chunk, Pace, Post},
    records::{self, Fetched, RecordsError},
};

impl Task {
    pub(super) fn take(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Metadata(Ok(metadata)) => {
                self.refreshing = false;
                self.cluster.learn(&metadata);
                self.links.retain(|broker, link| link.coming.is_some() || self.cluster.knows(*broker));
                let leaderless = self.positions.iter().filter(|(_, position)| {
                    self.cluster.leader(&position.partition.topic, position.partition.partition).is_none()
                });
                let leaderless: Vec<u64> = leaderless.map(|(epoch, _)| *epoch).collect();
                self.in_vain = if leaderless.is_empty() { 0 } else { self.in_vain + 1 };
                self.refresh_at = now + REFRESH;
                self.note_wrong(&leaderless, now, "nobody leads it");
                let denied = metadata.topics.iter().find(|topic| matches!(topic.code, Code(29) | Code(17)));
                if let Some(topic) = denied {
                    self.fail(format!("topic `{}`: {}", topic.name, topic.code));
                }
            }
            Done::Metadata(Err(error @ ConnectionError::Unfit { .. })) => self.fail_unfit(error.to_string()),
            Done::Metadata(Err(error)) => {
                self.refreshing = false;
                if self.in_vain % 20 == 1 {
                    tracing::warn!(%error, "no broker tells who leads");
                }
                self.in_vain += 1;
                self.refresh_at = now + self.pause();
            }
            Done::Fetched { broker, asked, connection, answer } => {
                let link = self.links.entry(broker).or_default();
                let share = link.coming.take().unwrap_or_default();
                link.connection = connection;
                match answer {
                    Ok(answer) => {
                        link.failures = 0;
                        self.read(broker, &asked, answer, share, now);
                        self.post.wake();
                    }
                    Err(error @ ConnectionError::Unfit { .. }) => self.fail_unfit(error.to_string()),
                    Err(error) => {
                        tracing::debug!(broker, %error, "fetch");
                        let pause = pause(&self.options.common, link.failures);
                        link.failures = link.failures.saturating_add(1);
                        let epochs: Vec<u64> = asked.iter().map(|asked| asked.epoch).collect();
                        self.put_off(&epochs, now, pause, &error.to_string());
                    }
                }
            }
            Done::Earliest { epoch, offset, answer } => {
                let Some(position) = self.positions.get_mut(&epoch).filter(|position| position.offset == offset) else {
                    return;
                };
                match answer {
                    Ok(Ok(earliest)) => {
                        // As `auto.offset.reset: earliest` has it: nothing that is still there is skipped.
                        tracing::warn!(partition = ?position.partition, offset, earliest, "the offset is gone, reading goes on at the earliest");
                        (position.offset, position.wait_until, position.read_under) = (earliest, None, None);
                    }
                    Ok(Err(code)) => self.put_off(&[epoch], now, self.options.common.backoff, &code.to_string()),
                    Err(reason) => self.put_off(&[epoch], now, self.options.common.backoff, &reason),
                }
            }
            Done::EpochEnd { epoch, offset, leader_epoch, answer } => {
                let Some(position) = self.positions.get_mut(&epoch) else { return };
                position.wait_until = None;
                // What was under way has brought it on.
                if position.offset != offset {
                    return;
                }
                match answer {
                    Ok(Ok(Some(end))) => {
                        if end < offset {
                            // What was read beyond it is gone, and other records take its place.
                            tracing::warn!(partition = ?position.partition, offset, end, "the new leader's log ends before what was read, reading goes on there");
                            position.offset = end;
                        }
                        position.held_by = leader_epoch;
                    }
                    // Another log altogether, for instance since the topic was made anew.
                    Ok(Ok(None)) => self.ask_earliest(epoch),
                    Ok(Err(code)) => self.put_off(&[epoch], now, self.options.common.backoff, &code.to_string()),
                    Err(reason) => self.put_off(&[epoch], now, self.options.common.backoff, &reason),
                }
            }
        }
    }

    /// Something is wrong with these: leaders are asked for, and nothing of them is for a while.
    fn put_off(&mut self, epochs: &[u64], now: Instant, pause: Duration, why: &str) {
        let until = now + pause;
        for epoch in epochs {
            if let Some(position) = self.positions.get_mut(epoch) {
                position.wait_until = Some(until);
            }
        }
        self.note_wrong(epochs, now, why);
        self.refresh_soon(now);
    }

    /// Says it where it lasts.
    fn note_wrong(&mut self, epochs: &[u64], now: Instant, why: &str) {
        for epoch in epochs {
            let Some(position) = self.positions.get_mut(epoch) else { continue };
            let since = *position.wrong_since.get_or_insert(now);
            if now - since >= SILENCE {
                position.wrong_since = Some(now);
                tracing::warn!(partition = ?position.partition, why, "a partition cannot be read");
            }
        }
    }

    /// The lane has to start over.
    fn fail(&mut self, reason: String) {
        if !std::mem::replace(&mut self.failed, true) {
            self.post.failed(reason);
        }
    }

    /// The same, and the next one by librdkafka where that is free to choose.
    fn fail_unfit(&mut self, reason: String) {
        self.unfit.note();
        self.fail(reason);
    }

    /// Takes in what a broker says; `share` is what its answer was to bring.
    fn read(&mut self, broker: i32, asked: &[Asked], answer: Bytes, share: usize, now: Instant) {
        let whole = answer.len();
        let (code, fetched) = match api::fetch(&self.shared.hold(answer)) {
            Ok(read) => read,
            Err(error) => return self.fail(format!("fetch: {error}")),
        };
        let backoff = self.options.common.backoff;
        if !code.is_none() {
            let epochs: Vec<u64> = asked.iter().map(|asked| asked.epoch).collect();
            return self.put_off(&epochs, now, backoff, &code.to_string());
        }
        let by_partition: HashMap<(&str, i32), &Asked> =
            asked.iter().map(|asked| ((&*asked.partition.topic, asked.partition.partition), asked)).collect();
        let link = self.links.entry(broker).or_default();
        let is_empty = fetched.iter().all(|one| one.records.is_empty());
        link.empty = if is_empty { link.empty.saturating_add(1) } else { 0 };
        let mut grown = Grown { packed: 0, plain: 0, most: share.saturating_mul(2) };
        let pace = *self.shared.pace.lock();
        let mut few = Few::new(pace, link.rest.since(pace, now), now);
        for mut one in fetched {
            let Some(asked) = by_partition.get(&(one.topic.as_str(), one.partition)) else { continue };
            let epoch = asked.epoch;
            // One that was given up meanwhile, or moved, has no use for this.
            if self.positions.get(&epoch).is_none_or(|position| position.offset != asked.offset) {
                continue;
            }
            let name = |said: &dyn std::fmt::Display| format!("{}[{}]: {said}", one.topic, one.partition);
            match one.code {
                Code::NONE if one.preferred >= 0 && one.preferred != broker => {
                    self.fail_unfit(name(&format_args!("broker {} is to be read from, a follower", one.preferred)));
                }
                Code::NONE => {
                    one.records = self.shared.hold_part(one.records, whole);
                    let failed = self.read_partition(epoch, &one, &mut grown, &mut few).err();
                    let Some(error) = failed else { continue };
                    let reason = format!("{}[{}]: {error}", one.topic, one.partition);
                    match error {
                        RecordsError::Old(_) => self.fail_unfit(reason),
                        _ => self.fail(reason),
                    }
                }
                Code::OFFSET_OUT_OF_RANGE => self.ask_earliest(epoch),
                code @ (Code(29) | Code(30) | Code(17)) => self.fail(name(&code)),
                code => {
                    tracing::debug!(topic = one.topic, partition = one.partition, %code, "fetch");
                    self.put_off(&[epoch], now, backoff, &code.to_string());
                }
            }
        }
        self.links.entry(broker).or_default().rest.note(!is_empty, few.are_all, now);
        if let Some(expansion) = grown.plain.checked_div(grown.packed) {
            self.expansion = expansion.max(1);
        }
    }

    fn read_partition(
        &mut self,
        epoch: u64,
        fetched: &api::Fetched,
        grown: &mut Grown,
        few: &mut Few,
    ) -> Result<(), RecordsError> {
        let Some(position) = self.positions.get_mut(&epoch) else { return Ok(()) };
        position.wrong_since = None;
        self.shared.ends.lock().insert(epoch, fetched.last_stable);
        let mut aborted = Aborted::new(&fetched.aborted);
        for batch in records::batches(&fetched.records)? {
            // What compression hid is too much at once: the rest is asked for again.
            if grown.plain >= grown.most {
                break;
            }
            let wanted = aborted.wants(&batch)?;
            if wanted && batch.next_offset() > position.offset {
                let mut rows = Vec::new();
                let data = batch.rows(position.offset, &mut rows)?;
                grown.packed += batch.len();
                grown.plain += data.len();
                if !rows.is_empty() {
                    let data = if batch.is_compressed() { self.shared.hold(data) } else { data };
                    let queued = self.shared.queue(data.len() + rows.len() * size_of::<records::Row>());
                    few.push(Chunk { epoch, since: few.now, rows, data, queued }, &mut self.post);
                }
            }
            if position.read_under.is_none() {
                // Under whom what was read before was written is not known: the leader of now is taken for right.
                position.held_by = self.cluster.leader_epoch(&position.partition).unwrap_or(batch.leader_epoch);
            }
            position.read_under = Some(batch.leader_epoch).filter(|epoch| *epoch >= 0);
            position.offset = position.offset.max(batch.next_offset());
        }
        few.end(position.offset >= fetched.last_stable, &mut self.post);
        Ok(())
    }
}

/// Chunks of an answer on their way to the lane, one partition after the other: held back until it is known whether they
/// are all that was there, unless they fill a batch.
struct Few {
    pace: Pace,
    /// Since when a record may have waited at the broker of which there is no more than this.
    since: StdInstant,
    now: StdInstant,
    /// Of the partition that is read.
    chunks: Vec<Chunk>,
    /// Of the same, also of those that are on their way.
    rows: usize,
    bytes: usize,
    /// So far there was more of no partition, and a full batch of none.
    are_all: bool,
}

impl Few {
    fn new(pace: Pace, since: Instant, now: Instant) -> Self {
        let (since, now) = (since.into_std(), now.into_std());
        Self { pace, since, now, chunks: Vec::new(), rows: 0, bytes: 0, are_all: true }
    }

    fn push(&mut self, chunk: Chunk, post: &mut Post) {
        self.rows += chunk.rows.len();
        self.bytes += chunk.data.len();
        self.chunks.push(chunk);
        if self.pace.fills(self.rows, self.bytes) {
            self.chunks.drain(..).for_each(|chunk| post.chunk(chunk));
        }
    }

    /// The partition has no more in this answer, and none at the broker where `is_all`.
    fn end(&mut self, is_all: bool, post: &mut Post) {
        let is_all = is_all && !self.pace.fills(self.rows, self.bytes);
        let since = if is_all { self.since } else { self.now };
        self.chunks.drain(..).for_each(|chunk| post.chunk(Chunk { since, ..chunk }));
        (self.rows, self.bytes) = (0, 0);
        self.are_all &= is_all;
    }
}

/// Bytes of an answer's batches, before and behind decompression.
struct Grown {
    packed: usize,
    plain: usize,
    /// Of the latter.
    most: usize,
}

/// Which batches belong to transactions that were aborted (KIP-98, "READ_COMMITTED").
struct Aborted<'a> {
    /// Producer and first offset, ascending.
    upcoming: std::iter::Peekable<std::slice::Iter<'a, (i64, i64)>>,
    open: BTreeSet<i64>,
}

impl<'a> Aborted<'a> {
    fn new(aborted: &'a [(i64, i64)]) -> Self {
        Self { upcoming: aborted.iter().peekable(), open: BTreeSet::new() }
    }

    /// Whether a lane is to see the batch. To be called with each, in order.
    fn wants(&mut self, batch: &Fetched) -> Result<bool, RecordsError> {
        while let Some((producer, _)) = self.upcoming.next_if(|(_, first)| *first < batch.next_offset()) {
            self.open.insert(*producer);
        }
        if batch.is_control() {
            if self.open.contains(&batch.producer) && batch.is_abort()? {
                self.open.remove(&batch.producer);
            }
            return Ok(false);
        }
        Ok(!(batch.is_transactional() && self.open.contains(&batch.producer)))
    }
}
