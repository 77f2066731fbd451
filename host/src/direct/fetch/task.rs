//! The task behind a [`super::Fetcher`].

mod answers;

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{Begin, Command, HELD_MAX, Post, Shared, pace::Rest};
use crate::{
    direct::{
        api::{self, Api, Code, FetchFrom, FetchLimits, Leader, Metadata},
        choice::Unfit,
        cluster::Cluster,
        connection::{Connection, ConnectionError},
        options::{Common, FetchOptions},
        wire::WireError,
    },
    kafka::Partition,
};

/// How often leaders are asked for although nothing says that they changed.
const REFRESH: Duration = Duration::from_secs(300);

/// Least that a fetch asks for, however much its records grew by decompression the last time.
const FETCH_MIN: usize = 64 << 10;

/// How long a partition may not be readable before it is said, and between two times that it is.
const SILENCE: Duration = Duration::from_secs(15);

/// Where a partition stands.
struct Position {
    partition: Partition,
    offset: i64,
    /// Not before: something was wrong.
    wait_until: Option<Instant>,
    /// Since when something is, to be said.
    wrong_since: Option<Instant>,
    /// Of the leader under whom the last batch was written that was read.
    read_under: Option<i32>,
    /// Of the leader whose log was found to hold what was read before.
    held_by: i32,
}

/// A broker's connection.
#[derive(Default)]
struct Link {
    /// Made with the first request, and lent to the one that is under way.
    connection: Option<Connection>,
    /// Bytes that the answer under way may bring. None: nothing is asked now.
    coming: Option<usize>,
    /// The turn in which it was asked last.
    asked_at: Option<usize>,
    /// Requests in a row that came to nothing.
    failures: u32,
    /// Answers in a row without a record.
    empty: u32,
    rest: Rest,
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
    EpochEnd { epoch: u64, offset: i64, leader_epoch: i32, answer: Result<Result<Option<i64>, Code>, String> },
}

type Waiting = Pin<Box<dyn Future<Output = Done> + Send>>;

struct Task {
    options: FetchOptions,
    cluster: Cluster,
    shared: Arc<Shared>,
    post: Post,
    unfit: Unfit,
    /// Nothing is to be read any more.
    failed: bool,
    /// By epoch.
    positions: HashMap<u64, Position>,
    /// By broker.
    links: HashMap<i32, Link>,
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
    post: Post,
    shared: Arc<Shared>,
    unfit: Unfit,
) {
    let cluster = Cluster::new(options.common.bootstrap.clone(), options.common.caller(&api::NEEDED));
    let mut task = Task {
        options,
        cluster,
        shared: Arc::clone(&shared),
        post,
        unfit,
        failed: false,
        positions: HashMap::new(),
        links: HashMap::new(),
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
                    let position = Position {
                        partition,
                        offset,
                        wait_until: None,
                        wrong_since: None,
                        read_under: None,
                        held_by: -1,
                    };
                    self.positions.insert(epoch, position);
                }
                self.refresh_at = Instant::now();
                self.links.values_mut().for_each(|link| {
                    link.empty = 0;
                    link.rest.end();
                });
            }
            Command::Remove(epochs) => epochs.iter().for_each(|epoch| {
                self.positions.remove(epoch);
                self.shared.ends.lock().remove(epoch);
            }),
        }
    }

    /// When to look again, if nothing happens before.
    fn next_at(&self) -> Instant {
        let (now, pace) = (Instant::now(), *self.shared.pace.lock());
        let rests = self.links.values().filter_map(|link| link.rest.until(pace));
        let waits = self.positions.values().filter_map(|position| position.wait_until);
        // Those that are over wait for something else: for room, or for a broker.
        let waits = waits.chain(rests).filter(|until| *until > now);
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
        let queued_max = self.options.queued_max;
        if self.shared.queued.load(SeqCst) >= queued_max || self.shared.held.load(SeqCst) >= HELD_MAX {
            return;
        }
        let (mut by_broker, mut moved) = (HashMap::<i32, Vec<(u64, Leader)>>::new(), Vec::new());
        let mut leaderless = false;
        for (epoch, position) in &mut self.positions {
            if position.wait_until.is_some_and(|until| until > now) {
                continue;
            }
            position.wait_until = None;
            match self.cluster.leader(&position.partition.topic, position.partition.partition) {
                // Another leader may not have all that was read from the one before (KIP-320).
                Some(leader) if position.read_under.is_some() && leader.epoch != position.held_by => {
                    moved.push((*epoch, leader));
                }
                Some(leader) => by_broker.entry(leader.broker).or_default().push((*epoch, leader)),
                None => leaderless = true,
            }
        }
        moved.into_iter().for_each(|(epoch, leader)| self.ask_epoch_end(epoch, leader));
        if leaderless {
            self.refresh_soon(now);
        }
        // Whoever was asked longest ago is asked first, and for its share: a slower one could otherwise never find room.
        let share = (queued_max / by_broker.len().max(1)).max(FETCH_MIN);
        let pace = *self.shared.pace.lock();
        let is_busy = |broker: &i32| {
            let rests = |link: &Link| link.rest.until(pace).is_some_and(|until| until > now);
            self.links.get(broker).is_some_and(|link| link.coming.is_some() || rests(link))
        };
        let mut brokers: Vec<_> = by_broker.into_iter().filter(|(broker, _)| !is_busy(broker)).collect();
        brokers.sort_unstable_by_key(|(broker, _)| self.links.get(broker).and_then(|link| link.asked_at));
        for (broker, epochs) in brokers {
            let coming: usize = self.links.values().filter_map(|link| link.coming).sum();
            if self.shared.queued.load(SeqCst).saturating_add(coming) >= queued_max {
                return;
            }
            self.fetch(broker, epochs, share);
        }
    }

    fn fetch(&mut self, broker: i32, epochs: Vec<(u64, Leader)>, share: usize) {
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
        let FetchOptions { min_bytes, partition_max_bytes, patience, .. } = self.options;
        let link = self.links.entry(broker).or_default();
        let wait = self.options.wait_after(link.empty);
        let limits = FetchLimits {
            wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes,
            max_bytes: i32::try_from((share / self.expansion).max(FETCH_MIN)).unwrap_or(i32::MAX),
            partition_max_bytes,
        };
        let body = Bytes::from(api::fetch_request(limits, &partitions));
        (link.asked_at, link.coming) = (Some(self.turn), Some(share));
        let (connection, address) = (link.connection.take(), self.cluster.address(broker).cloned());
        let (caller, patience) = (self.cluster.caller.clone(), patience.saturating_add(wait));
        self.waiting.push(Box::pin(async move {
            let connection = match (connection.filter(Connection::is_open), address) {
                (Some(connection), _) => Ok(connection),
                (None, Some(address)) => Connection::open(&address, &caller).await,
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

    /// Asks a partition's leader something, on a connection of its own. Until the answer is there, nothing is fetched.
    fn ask_leader<T: Send + 'static>(
        &mut self,
        epoch: u64,
        leader: Leader,
        (api, body): (Api, Vec<u8>),
        read: fn(&[u8]) -> Result<T, WireError>,
        done: impl FnOnce(Result<T, String>) -> Done + Send + 'static,
    ) {
        let Some(address) = self.cluster.address(leader.broker).cloned() else { return };
        let Some(position) = self.positions.get_mut(&epoch) else { return };
        let patience = self.options.patience;
        // It ends before this is over.
        position.wait_until = Some(Instant::now() + REFRESH + patience);
        let caller = self.cluster.caller.clone();
        self.waiting.push(Box::pin(async move {
            let ask = async {
                let connection = Connection::open(&address, &caller).await.map_err(|error| error.to_string())?;
                let answer = connection.call(api, vec![Bytes::from(body)], patience).await;
                read(&answer.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
            };
            done(ask.await)
        }));
    }

    fn ask_earliest(&mut self, epoch: u64) {
        let Some(Position { partition: Partition { topic, partition }, offset, .. }) = self.positions.get(&epoch)
        else {
            return;
        };
        let (Some(leader), offset) = (self.cluster.leader(topic, *partition), *offset) else { return };
        let body = api::earliest_request(topic, *partition, leader.epoch);
        self.ask_leader(epoch, leader, (api::LIST_OFFSETS, body), api::earliest, move |answer| Done::Earliest {
            epoch,
            offset,
            answer,
        });
    }

    /// Where the leader's log ends for what was read last.
    fn ask_epoch_end(&mut self, epoch: u64, leader: Leader) {
        let Some(Position { partition: Partition { topic, partition }, offset, read_under: Some(read), .. }) =
            self.positions.get(&epoch)
        else {
            return;
        };
        let (offset, leader_epoch) = (*offset, leader.epoch);
        let body = api::epoch_end_request(topic, *partition, leader_epoch, *read);
        self.ask_leader(epoch, leader, (api::EPOCH_END, body), api::epoch_end, move |answer| Done::EpochEnd {
            epoch,
            offset,
            leader_epoch,
            answer,
        });
    }

    fn pause(&self) -> Duration {
        pause(&self.options.common, self.in_vain)
    }
}

/// Grows with the attempts that came to nothing.
fn pause(common: &Common, attempts: u32) -> Duration {
    common.backoff.saturating_mul(1 << attempts.min(10)).min(common.backoff_max)
}

/// What is sorted by topic and partition, with another one first in each turn: a broker fills an answer in the order of
/// the request, and whoever stands first may take all of it. Those of one topic stay together.
pub(super) fn in_turn<T: Clone>(mut sorted: Vec<T>, turn: usize, together: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let mut groups: Vec<&mut [T]> = sorted.chunk_by_mut(together).collect();
    let Some(first) = turn.checked_rem(groups.len()) else { return Vec::new() };
    let round = turn / groups.len();
    groups.rotate_left(first);
    for group in &mut groups {
        group.rotate_left(round % group.len());
    }
    groups.into_iter().flat_map(|group| group.iter().cloned()).collect()
}
