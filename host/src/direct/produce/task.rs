//! The task behind a [`super::DirectProducer`].

mod adding;
mod answers;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    pin::Pin,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use bytes::Bytes;
use crossbeam_channel::Sender;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until};

use adding::Adding;

use super::{
    Report, Shared, SharedTopic, Slots,
    flow::{Flow, Identity},
};
use crate::{
    direct::{
        api::{self, Code, Metadata},
        choice::Unfit,
        cluster::Cluster,
        compression::Codec,
        connection::{Connection, ConnectionError},
        options::ProduceOptions,
        transaction::{Denied, Transactor},
    },
    kafka::Failure,
};

/// Requests under way at a broker; of one partition there is one batch at most.
const REQUESTS: usize = 5;

/// Bytes of batches in one request, at least one batch.
const REQUEST_BYTES: usize = 8 << 20;

/// Buffers kept for the next batches.
const SPARE: usize = 32;

/// How often partitions are asked for although nothing says that they changed.
const REFRESH: Duration = Duration::from_secs(300);

/// For what is not a batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// Topic and partition, by number.
type Place = (u32, u32);

/// A broker's connection.
#[derive(Default)]
struct Link {
    connection: Option<Connection>,
    opening: bool,
    /// Requests under way.
    requests: usize,
    wait_until: Option<Instant>,
    /// Attempts to connect in a row that failed.
    failures: u32,
}

/// Something that was waited for.
enum Done {
    /// Each place with the turn of its flow.
    Produced {
        broker: i32,
        sent: Vec<(Place, u64)>,
        answer: Result<Bytes, ConnectionError>,
    },
    Opened {
        broker: i32,
        connection: Result<Connection, ConnectionError>,
    },
    Metadata {
        asked: BTreeSet<u32>,
        answer: Result<Metadata, ConnectionError>,
    },
    Identity(Result<(i64, i16), (Option<Code>, String)>),
    Added(Result<(), Denied>),
}

type Waiting = Pin<Box<dyn Future<Output = Done> + Send>>;

struct Task {
    options: ProduceOptions,
    cluster: Cluster,
    shared: Arc<Shared>,
    reports: Sender<Report>,
    unfit: Unfit,
    /// By number; as many as were seen in `Shared`.
    names: Vec<Arc<str>>,
    /// Topics that no broker knew, and since when.
    unknown: BTreeMap<u32, Instant>,
    flows: HashMap<Place, Flow>,
    /// Flows with a batch.
    active: BTreeSet<Place>,
    links: HashMap<i32, Link>,
    waiting: FuturesUnordered<Waiting>,
    identity: Option<Identity>,
    identifying: bool,
    identify_at: Instant,
    /// Attempts in a row that failed.
    unidentified: u32,
    /// Why nothing can be sent, for good.
    refused: Option<Failure>,
    generation: u64,
    /// For what is produced in transactions.
    adding: Option<Adding>,
    refreshing: bool,
    refresh_at: Instant,
    /// Topics to be asked for; when none is, all are.
    wanted: BTreeSet<u32>,
    /// Answers in a row that left something open, for the pause between them.
    in_vain: u32,
    /// When the next open batch has waited long enough.
    linger_until: Option<Instant>,
}

pub(super) async fn run(
    options: ProduceOptions,
    shared: Arc<Shared>,
    reports: Sender<Report>,
    unfit: Unfit,
    transactor: Option<Arc<Transactor>>,
) {
    let needs = if transactor.is_some() { &api::transactions::NEEDED } else { &api::NEEDED };
    let cluster = Cluster::new(options.common.bootstrap.clone(), options.common.caller(needs));
    let now = Instant::now();
    let mut task = Task {
        options,
        cluster,
        shared: Arc::clone(&shared),
        reports,
        unfit,
        names: Vec::new(),
        unknown: BTreeMap::new(),
        flows: HashMap::new(),
        active: BTreeSet::new(),
        links: HashMap::new(),
        waiting: FuturesUnordered::new(),
        identity: None,
        identifying: false,
        identify_at: now,
        unidentified: 0,
        refused: None,
        generation: 0,
        adding: transactor.map(Adding::new),
        refreshing: false,
        refresh_at: now,
        wanted: BTreeSet::new(),
        in_vain: 0,
        linger_until: None,
    };
    while !shared.closed.load(SeqCst) {
        let now = Instant::now();
        task.collect(now);
        task.learn_and_identify(now);
        task.add();
        task.send(now);
        let packed = task.pack_ahead();
        let next = task.next_at(now);
        tokio::select! {
            biased;
            Some(done) = task.waiting.next() => task.take(done),
            () = shared.wake.notified() => {}
            () = sleep_until(next) => {}
            // There may be another one; but what can be sent goes first.
            () = std::future::ready(()), if packed => {}
        }
    }
}

impl Task {
    /// Takes from the slots what is due.
    fn collect(&mut self, now: Instant) {
        let slots = &mut *self.shared.slots.lock();
        if slots.topics.len() > self.names.len() {
            self.wanted.extend(self.names.len() as u32..slots.topics.len() as u32);
            let fresh = &mut slots.topics[self.names.len()..];
            if self.refused.is_some() {
                fresh.iter_mut().for_each(|topic| topic.failed.clone_from(&self.refused));
                learnt(&self.shared);
            }
            self.names.extend(fresh.iter().map(|topic| Arc::clone(&topic.name)));
            self.refresh_at = now;
        }
        self.linger_until = None;
        let mut hurry = false;
        if let Some(adding) = &mut self.adding {
            adding.look();
            hurry = adding.transactor.hurry.load(SeqCst);
        }
        let Slots { topics, told, .. } = slots;
        let mut left = Vec::new();
        for (topic, place) in told.drain(..) {
            let SharedTopic { slots, failed, .. } = &mut topics[topic as usize];
            let slot = &mut slots[place as usize];
            if let Some(failure) = failed {
                slot.told = false;
                let pending = slot.full.drain(..).chain(slot.open.take());
                let opaques = pending.flat_map(|pending| pending.opaques).collect();
                // A lane that is gone has no use for it.
                self.reports.send(Report { opaques, outcome: Err(failure.clone()) }).ok();
                continue;
            }
            let flow = self.flows.entry((topic, place)).or_default();
            slot.full.drain(..).for_each(|pending| flow.push(pending));
            self.adding.iter_mut().for_each(|adding| adding.want((topic, place)));
            if let Some(open) = &slot.open {
                let due = Instant::from_std(open.since) + self.options.linger;
                let full = open.builder.len() >= self.options.batch_bytes;
                // While something is under way, the batch goes on filling.
                if flow.is_empty() && (full || hurry || due <= now) {
                    slot.open.take().into_iter().for_each(|pending| flow.push(pending));
                } else if flow.is_empty() {
                    self.linger_until = Some(self.linger_until.map_or(due, |until| until.min(due)));
                }
            }
            if !flow.is_empty() {
                self.active.insert((topic, place));
            }
            if slot.open.is_some() {
                left.push((topic, place));
            } else {
                slot.told = false;
            }
        }
        *told = left;
    }

    fn learn_and_identify(&mut self, now: Instant) {
        if !self.refreshing && !self.names.is_empty() && self.refresh_at <= now {
            self.refreshing = true;
            let mut asked = std::mem::take(&mut self.wanted);
            if asked.is_empty() {
                asked = (0..self.names.len() as u32).collect();
            }
            let names = asked.iter().map(|topic| self.names[*topic as usize].to_string()).collect();
            let ask = self.cluster.ask(names, true);
            self.waiting.push(Box::pin(async move { Done::Metadata { asked, answer: ask.await } }));
        }
        if let Some(adding) = &self.adding {
            // The lane asks for it, and for another one with another producer.
            let identity = self.identity.or_else(|| {
                let (producer, epoch) = adding.transactor.identity()?;
                Some(Identity { producer, epoch, generation: 1, transactional: true })
            });
            self.identity = identity;
        } else if self.identity.is_none() && !self.identifying && self.identify_at <= now {
            let Some(address) = self.cluster.any() else { return };
            self.identifying = true;
            let caller = self.cluster.caller.clone();
            self.waiting.push(Box::pin(async move {
                let ask = async {
                    let lost = |error: ConnectionError| (None, error.to_string());
                    let connection = Connection::open(&address, &caller).await.map_err(lost)?;
                    let body = Bytes::from(api::init_producer_id_request(None));
                    let answer = connection.call(api::INIT_PRODUCER_ID, vec![body], PATIENCE).await;
                    let answer = api::init_producer_id(&answer.map_err(lost)?);
                    let answer = answer.map_err(|error| (None, error.to_string()))?;
                    answer.map_err(|code| (Some(code), code.to_string()))
                };
                Done::Identity(ask.await)
            }));
        }
    }

    /// Sends the next batch of every partition that has one and nothing under way.
    fn send(&mut self, now: Instant) {
        let Some(identity) = self.identity else { return };
        let mut by_broker: BTreeMap<i32, Vec<Place>> = BTreeMap::new();
        let mut leaderless = Vec::new();
        for (topic, partition) in &self.active {
            let Some(flow) = self.flows.get(&(*topic, *partition)) else { continue };
            if flow.under_way || flow.is_empty() || flow.wait_until.is_some_and(|until| until > now) {
                continue;
            }
            if self.adding.as_ref().is_some_and(|adding| !adding.has(&(*topic, *partition))) {
                continue;
            }
            match self.cluster.leader(&self.names[*topic as usize], *partition as i32) {
                Some(leader) => by_broker.entry(leader.broker).or_default().push((*topic, *partition)),
                None => leaderless.push(*topic),
            }
        }
        leaderless.into_iter().for_each(|topic| self.want(topic, now));
        for (broker, places) in by_broker {
            self.send_to(broker, &places, identity, now);
        }
    }

    fn send_to(&mut self, broker: i32, mut places: &[Place], identity: Identity, now: Instant) {
        let link = self.links.entry(broker).or_default();
        if link.connection.as_ref().is_none_or(|connection| !connection.is_open()) {
            link.connection = None;
            if link.opening || link.wait_until.is_some_and(|until| until > now) {
                return;
            }
            let Some(address) = self.cluster.address(broker).cloned() else { return };
            link.opening = true;
            let caller = self.cluster.caller.clone();
            self.waiting.push(Box::pin(async move {
                Done::Opened { broker, connection: Connection::open(&address, &caller).await }
            }));
            return;
        }
        while !places.is_empty() && self.links.get(&broker).is_some_and(|link| link.requests < REQUESTS) {
            let count = self.send_some(broker, places, identity);
            places = &places[count..];
        }
    }

    /// One request with as many of the batches as it takes; answers of how many partitions.
    fn send_some(&mut self, broker: i32, places: &[Place], identity: Identity) -> usize {
        let (mut taken, mut bytes, mut again, mut batches, mut sent) = (0, 0, 0, Vec::new(), Vec::new());
        let connection = self.links.get(&broker).and_then(|link| link.connection.clone());
        let Some(connection) = connection else { return places.len() };
        for place in places {
            if bytes >= REQUEST_BYTES {
                break;
            }
            taken += 1;
            let Some(flow) = self.flows.get_mut(place) else { continue };
            match flow.start(identity, self.options.codec) {
                Ok(Some((batch, spare))) => {
                    bytes += batch.len();
                    again += if flow.attempts > 0 { flow.records() } else { 0 };
                    batches.push(batch);
                    sent.push((*place, flow.turn));
                    spare.into_iter().for_each(|spare| keep(&self.shared, spare));
                }
                Ok(None) => {}
                Err(error) => {
                    let reason = Failure::Configuration(error.to_string());
                    self.give_up(*place, &reason);
                }
            }
        }
        if sent.is_empty() {
            return taken;
        }
        self.links.entry(broker).or_default().requests += 1;
        self.shared.news.lock().sent(bytes, again);
        let heads: Vec<(&str, i32, usize)> = sent
            .iter()
            .zip(&batches)
            .map(|(((topic, partition), _), batch)| (&*self.names[*topic as usize], *partition as i32, batch.len()))
            .collect();
        let patience = self.options.patience;
        let timeout = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        let transaction = self.adding.as_ref().map(|adding| adding.transactor.id.as_str());
        let pieces = api::produce_request(transaction, timeout, &heads);
        let parts = pieces.into_iter().zip(batches).flat_map(|(head, batch)| [Bytes::from(head), batch]).collect();
        // The broker itself waits as long for its followers.
        let patience = patience.saturating_add(PATIENCE);
        self.waiting.push(Box::pin(async move {
            let answer = connection.call(api::PRODUCE, parts, patience).await;
            Done::Produced { broker, sent, answer }
        }));
        taken
    }

    /// Compresses one batch while its partition's leader has the one before. Answers whether there was one.
    fn pack_ahead(&mut self) -> bool {
        let codec = self.options.codec;
        if codec == Codec::None {
            return false;
        }
        let spare = self.active.iter().find_map(|place| self.flows.get_mut(place)?.pack_ahead(codec));
        let Some(spare) = spare else { return false };
        keep(&self.shared, spare);
        true
    }

    fn next_at(&self, now: Instant) -> Instant {
        let waits = self.active.iter().filter_map(|place| {
            let flow = self.flows.get(place)?;
            flow.wait_until.filter(|until| !flow.under_way && *until > now)
        });
        let links = self.links.values().filter_map(|link| link.wait_until).filter(|until| *until > now);
        let refresh = (!self.refreshing && !self.names.is_empty()).then_some(self.refresh_at);
        let identifies = self.identity.is_none() && !self.identifying && self.adding.is_none();
        let identify = identifies.then_some(self.identify_at);
        let all = waits.chain(links).chain(refresh).chain(identify).chain(self.linger_until);
        all.min().unwrap_or(now + REFRESH).min(now + REFRESH)
    }

    fn pause(&self, attempts: u32) -> Duration {
        self.options.common.pause(attempts)
    }

    /// Asks for a topic's leaders, after a pause that grows while it changes nothing.
    fn want(&mut self, topic: u32, now: Instant) {
        self.wanted.insert(topic);
        let at = now + self.pause(self.in_vain);
        self.refresh_at = self.refresh_at.min(at);
    }

    /// Begins other sequences, with which no late request of those before can be confused (KIP-360). In a transaction
    /// there are no others: it is not to be committed.
    fn bump(&mut self, now: Instant) {
        if let Some(adding) = &self.adding {
            return adding.transactor.spoil("records of it were given up");
        }
        self.generation += 1;
        let generation = self.generation;
        self.identity = self.identity.and_then(|Identity { producer, epoch, .. }| {
            Some(Identity { producer, epoch: epoch.checked_add(1)?, generation, transactional: false })
        });
        self.identify_at = now;
    }

    /// All batches of a place were refused for good.
    fn give_up(&mut self, place: Place, failure: &Failure) {
        let opaques = self.flows.get_mut(&place).map(Flow::give_up).unwrap_or_default();
        self.active.remove(&place);
        if opaques.is_empty() {
            return;
        }
        self.bump(Instant::now());
        self.report(opaques, Err(failure.clone()));
    }

    fn report(&self, opaques: Vec<u64>, outcome: Result<(), Failure>) {
        if !opaques.is_empty() {
            // A lane that is gone has no use for it.
            self.reports.send(Report { opaques, outcome }).ok();
        }
    }
}

/// The lane is to look at its topics again.
fn learnt(shared: &Shared) {
    shared.learnt.fetch_add(1, SeqCst);
}

fn keep(shared: &Shared, memory: Vec<u8>) {
    let spare = &mut shared.slots.lock().spare;
    if spare.len() < SPARE {
        spare.push(memory);
    }
}
