//! The task behind a [`super::Fetcher`].

use std::{
    collections::{BTreeSet, HashMap},
    pin::Pin,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use bytes::Bytes;
use crossbeam_channel::Sender;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{Begin, Chunk, Command, News, Shared};
use crate::{
    direct::{
        api::{self, Code, FetchFrom, FetchLimits, Leader, Metadata},
        choice::Unfit,
        cluster::Cluster,
        connection::{Connection, ConnectionError},
        options::{Common, FetchOptions},
        records::{self, Fetched, RecordsError},
    },
    kafka::Partition,
};

/// How often leaders are asked for although nothing says that they changed.
const REFRESH: Duration = Duration::from_secs(300);

/// Least that a fetch asks for, however much its records grew by decompression the last time.
const FETCH_MIN: usize = 64 << 10;

/// Where a partition stands.
struct Position {
    partition: Partition,
    offset: i64,
    /// Not before: something was wrong.
    wait_until: Option<Instant>,
}

/// What was asked of a broker.
struct Asked {
    epoch: u64,
    partition: Partition,
    offset: i64,
}

/// Something that was waited for.
enum Done {
    Fetched { broker: i32, asked: Vec<Asked>, connection: Option<Connection>, answer: Result<Bytes, ConnectionError> },
    Metadata(Result<Metadata, ConnectionError>),
    Earliest { epoch: u64, offset: i64, answer: Result<Result<i64, Code>, String> },
}

type Waiting = Pin<Box<dyn Future<Output = Done> + Send>>;

struct Task {
    options: FetchOptions,
    cluster: Cluster,
    shared: Arc<Shared>,
    news: Sender<News>,
    unfit: Unfit,
    /// Nothing is to be read any more.
    failed: bool,
    /// By epoch.
    positions: HashMap<u64, Position>,
    /// Brokers that nothing is asked of now.
    idle: HashMap<i32, Connection>,
    busy: BTreeSet<i32>,
    /// By broker: requests in a row that came to nothing.
    failures: HashMap<i32, u32>,
    /// Counts requests: another partition stands first each time.
    turn: usize,
    /// How many bytes of records a fetched byte became, the last time.
    expansion: usize,
    waiting: FuturesUnordered<Waiting>,
    refreshing: bool,
    refresh_at: Instant,
    /// Attempts to learn leaders that changed nothing, for the pause between them.
    in_vain: u32,
}

pub(super) async fn run(
    options: FetchOptions,
    mut commands: mpsc::Receiver<Command>,
    news: Sender<News>,
    shared: Arc<Shared>,
    unfit: Unfit,
) {
    let cluster = Cluster::new(options.common.bootstrap.clone(), options.common.client.clone());
    let mut task = Task {
        options,
        cluster,
        shared: Arc::clone(&shared),
        news,
        unfit,
        failed: false,
        positions: HashMap::new(),
        idle: HashMap::new(),
        busy: BTreeSet::new(),
        failures: HashMap::new(),
        turn: 0,
        expansion: 1,
        waiting: FuturesUnordered::new(),
        refreshing: false,
        refresh_at: Instant::now(),
        in_vain: 0,
    };
    while !task.failed {
        task.ask();
        let next = task.next_at();
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => task.obey(command),
                // The lane is gone.
                None => return,
            },
            Some(done) = task.waiting.next() => task.take(done),
            () = shared.room.notified() => {}
            () = sleep_until(next) => {}
        }
    }
}

impl Task {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Add(begins) => {
                for Begin { epoch, partition, offset } in begins {
                    self.positions.insert(epoch, Position { partition, offset, wait_until: None });
                }
                self.refresh_at = Instant::now();
            }
            Command::Remove(epochs) => epochs.iter().for_each(|epoch| {
                self.positions.remove(epoch);
                self.shared.ends.lock().remove(epoch);
            }),
        }
    }

    /// When to look again, if nothing happens before.
    fn next_at(&self) -> Instant {
        let now = Instant::now();
        // Those that are over wait for something else: for room, or for a broker.
        let waits = self.positions.values().filter_map(|position| position.wait_until).filter(|until| *until > now);
        let refresh = (!self.refreshing && !self.positions.is_empty()).then_some(self.refresh_at);
        let last = now + REFRESH;
        waits.chain(refresh).min().unwrap_or(last).min(last)
    }

    /// Asks whatever can be asked now.
    fn ask(&mut self) {
        let now = Instant::now();
        if !self.refreshing && !self.positions.is_empty() && self.refresh_at <= now {
            self.refresh();
        }
        if self.shared.queued.load(SeqCst) >= self.options.queued_max {
            return;
        }
        let mut by_broker: HashMap<i32, Vec<(u64, Leader)>> = HashMap::new();
        let mut leaderless = false;
        for (epoch, position) in &mut self.positions {
            if position.wait_until.is_some_and(|until| until > now) {
                continue;
            }
            position.wait_until = None;
            match self.cluster.leader(&position.partition.topic, position.partition.partition) {
                Some(leader) => by_broker.entry(leader.broker).or_default().push((*epoch, leader)),
                None => leaderless = true,
            }
        }
        if leaderless {
            self.refresh_soon(now);
        }
        for (broker, epochs) in by_broker {
            if !self.busy.contains(&broker) {
                self.fetch(broker, epochs);
            }
        }
    }

    fn fetch(&mut self, broker: i32, epochs: Vec<(u64, Leader)>) {
        let mut from: Vec<(u64, FetchFrom<'_>)> = epochs
            .into_iter()
            .filter_map(|(epoch, leader)| {
                let Position { partition, offset, .. } = self.positions.get(&epoch)?;
                let (topic, partition) = (&*partition.topic, partition.partition);
                Some((epoch, FetchFrom { topic, partition, leader_epoch: leader.epoch, offset: *offset }))
            })
            .collect();
        from.sort_unstable_by_key(|(_, from)| (from.topic, from.partition));
        let from = in_turn(from, self.turn, |one, next| one.1.topic == next.1.topic);
        self.turn = self.turn.wrapping_add(1);
        let asked = from.iter().filter_map(|(epoch, from)| {
            let partition = self.positions.get(epoch)?.partition.clone();
            Some(Asked { epoch: *epoch, partition, offset: from.offset })
        });
        let asked = asked.collect();
        let partitions: Vec<FetchFrom<'_>> = from.into_iter().map(|(_, from)| from).collect();
        let FetchOptions { wait, min_bytes, partition_max_bytes, queued_max, patience, .. } = self.options;
        let limits = FetchLimits {
            wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes,
            // One answer may fill the queue; it is never much over its bound.
            max_bytes: i32::try_from((queued_max / self.expansion).max(FETCH_MIN)).unwrap_or(i32::MAX),
            partition_max_bytes,
        };
        let body = Bytes::from(api::fetch_request(limits, &partitions));
        let (connection, address) = (self.idle.remove(&broker), self.cluster.address(broker).cloned());
        let (client, patience) = (self.cluster.client.clone(), patience.saturating_add(wait));
        self.busy.insert(broker);
        self.waiting.push(Box::pin(async move {
            let connection = match (connection.filter(Connection::is_open), address) {
                (Some(connection), _) => Ok(connection),
                (None, Some(address)) => Connection::open(&address, &client).await,
                (None, None) => Err(ConnectionError::Broken("the broker is not known any more".into())),
            };
            match connection {
                Ok(connection) => {
                    let answer = connection.call(api::FETCH, vec![body], patience).await;
                    let connection = answer.is_ok().then_some(connection);
                    Done::Fetched { broker, asked, connection, answer }
                }
                Err(error) => Done::Fetched { broker, asked, connection: None, answer: Err(error) },
            }
        }));
    }

    fn refresh(&mut self) {
        let mut topics: Vec<String> =
            self.positions.values().map(|position| position.partition.topic.to_string()).collect();
        topics.sort_unstable();
        topics.dedup();
        let ask = self.cluster.ask(topics, false);
        self.refreshing = true;
        self.waiting.push(Box::pin(async move { Done::Metadata(ask.await) }));
    }

    /// After a pause that grows while it changes nothing.
    fn refresh_soon(&mut self, now: Instant) {
        let pause = self.pause();
        if self.refresh_at > now + pause {
            self.refresh_at = now + pause;
        }
    }

    fn pause(&self) -> Duration {
        pause(&self.options.common, self.in_vain)
    }

    fn take(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Metadata(Ok(metadata)) => {
                self.refreshing = false;
                self.cluster.learn(&metadata);
                self.idle.retain(|broker, _| self.cluster.knows(*broker));
                self.failures.retain(|broker, _| self.cluster.knows(*broker));
                let all = self.positions.values();
                let led = |position: &Position| {
                    self.cluster.leader(&position.partition.topic, position.partition.partition).is_some()
                };
                self.in_vain = if all.clone().all(led) { 0 } else { self.in_vain + 1 };
                self.refresh_at = now + REFRESH;
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
                self.busy.remove(&broker);
                if let Some(connection) = connection {
                    self.idle.insert(broker, connection);
                }
                match answer {
                    Ok(answer) => {
                        self.failures.remove(&broker);
                        self.read(&asked, &answer, now);
                    }
                    Err(error @ ConnectionError::Unfit { .. }) => self.fail_unfit(error.to_string()),
                    Err(error) => {
                        tracing::debug!(broker, %error, "fetch");
                        let failures = self.failures.entry(broker).or_default();
                        let pause = pause(&self.options.common, *failures);
                        *failures = failures.saturating_add(1);
                        self.put_off(asked.iter().map(|asked| asked.epoch), now, pause);
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
                        (position.offset, position.wait_until) = (earliest, None);
                    }
                    _ => self.put_off([epoch].into_iter(), now, self.options.common.backoff),
                }
            }
        }
    }

    /// Something is wrong with these: leaders are asked for, and nothing of them is for a while.
    fn put_off(&mut self, epochs: impl Iterator<Item = u64>, now: Instant, pause: Duration) {
        let until = now + pause;
        for epoch in epochs {
            if let Some(position) = self.positions.get_mut(&epoch) {
                position.wait_until = Some(until);
            }
        }
        self.refresh_soon(now);
    }

    /// The lane has to start over.
    fn fail(&mut self, reason: String) {
        if !std::mem::replace(&mut self.failed, true) {
            // A lane that is gone has no use for it.
            self.news.send(News::Failed(reason)).ok();
        }
    }

    /// The same, and the next one by librdkafka where that is free to choose.
    fn fail_unfit(&mut self, reason: String) {
        self.unfit.note();
        self.fail(reason);
    }

    fn read(&mut self, asked: &[Asked], answer: &Bytes, now: Instant) {
        let (code, fetched) = match api::fetch(answer) {
            Ok(read) => read,
            Err(error) => return self.fail(format!("fetch: {error}")),
        };
        if !code.is_none() {
            return self.put_off(asked.iter().map(|asked| asked.epoch), now, self.options.common.backoff);
        }
        let by_partition: HashMap<(&str, i32), &Asked> =
            asked.iter().map(|asked| ((&*asked.partition.topic, asked.partition.partition), asked)).collect();
        let mut grown = 0;
        for one in fetched {
            let Some(asked) = by_partition.get(&(one.topic.as_str(), one.partition)) else { continue };
            let epoch = asked.epoch;
            // One that was given up meanwhile, or moved, has no use for this.
            if self.positions.get(&epoch).is_none_or(|position| position.offset != asked.offset) {
                continue;
            }
            match one.code {
                Code::NONE => {
                    let failed = self.read_partition(epoch, &one, &mut grown).err();
                    let Some(error) = failed else { continue };
                    let reason = format!("{}[{}]: {error}", one.topic, one.partition);
                    match error {
                        RecordsError::Old(_) => self.fail_unfit(reason),
                        _ => self.fail(reason),
                    }
                }
                Code::OFFSET_OUT_OF_RANGE => self.ask_earliest(epoch),
                code @ (Code(29) | Code(30) | Code(17)) => {
                    self.fail(format!("{}[{}]: {code}", one.topic, one.partition));
                }
                code => {
                    tracing::debug!(topic = one.topic, partition = one.partition, %code, "fetch");
                    self.put_off([epoch].into_iter(), now, self.options.common.backoff);
                }
            }
        }
        self.expansion = (grown / answer.len().max(1)).max(1);
    }

    /// Adds to `grown` what became of it.
    fn read_partition(&mut self, epoch: u64, fetched: &api::Fetched, grown: &mut usize) -> Result<(), RecordsError> {
        let Some(position) = self.positions.get_mut(&epoch) else { return Ok(()) };
        self.shared.ends.lock().insert(epoch, fetched.last_stable);
        let mut aborted = Aborted::new(&fetched.aborted);
        for batch in records::batches(&fetched.records)? {
            // What compression hid is too much at once: the rest is asked for again.
            if self.shared.queued.load(SeqCst) >= self.options.queued_max.saturating_mul(2) {
                break;
            }
            let wanted = aborted.wants(&batch)?;
            if wanted && batch.next_offset() > position.offset {
                let mut rows = Vec::new();
                let data = batch.rows(position.offset, &mut rows)?;
                *grown += data.len();
                if !rows.is_empty() {
                    let queued = self.shared.queue(data.len() + rows.len() * size_of::<records::Row>());
                    self.news.send(News::Chunk(Chunk { epoch, rows, data, _queued: queued })).ok();
                }
            }
            position.offset = position.offset.max(batch.next_offset());
        }
        Ok(())
    }

    fn ask_earliest(&mut self, epoch: u64) {
        let Some(position) = self.positions.get_mut(&epoch) else { return };
        let Partition { topic, partition } = &position.partition;
        let Some(leader) = self.cluster.leader(topic, *partition) else { return };
        let Some(address) = self.cluster.address(leader.broker).cloned() else { return };
        // Until the answer is there, nothing is fetched.
        position.wait_until = Some(Instant::now() + self.options.patience);
        let (offset, client, patience) = (position.offset, self.cluster.client.clone(), self.options.patience);
        let body = Bytes::from(api::earliest_request(topic, *partition, leader.epoch));
        self.waiting.push(Box::pin(async move {
            let ask = async {
                let connection = Connection::open(&address, &client).await.map_err(|error| error.to_string())?;
                let answer = connection.call(api::LIST_OFFSETS, vec![body], patience).await;
                api::earliest(&answer.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
            };
            Done::Earliest { epoch, offset, answer: ask.await }
        }));
    }
}

/// Grows with the attempts that came to nothing.
fn pause(common: &Common, attempts: u32) -> Duration {
    common.backoff.saturating_mul(1 << attempts.min(10)).min(common.backoff_max)
}

/// What is sorted by topic and partition, with another one first in each turn: a broker fills an answer in the order of
/// the request, and whoever stands first may take all of it. Those of one topic stay together.
fn in_turn<T: Clone>(mut sorted: Vec<T>, turn: usize, together: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let mut groups: Vec<&mut [T]> = sorted.chunk_by_mut(together).collect();
    let Some(first) = turn.checked_rem(groups.len()) else { return Vec::new() };
    let round = turn / groups.len();
    groups.rotate_left(first);
    for group in &mut groups {
        group.rotate_left(round % group.len());
    }
    groups.into_iter().flat_map(|group| group.iter().cloned()).collect()
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
