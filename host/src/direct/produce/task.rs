//! The task behind a [`super::DirectProducer`].

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

use super::{
    Report, Shared, Slots,
    flow::{Flow, Identity},
};
use crate::{
    direct::{
        api::{self, Code, Metadata},
        cluster::Cluster,
        connection::{Connection, ConnectionError},
        options::ProduceOptions,
    },
    kafka::{self, Failure},
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
}

/// Something that was waited for.
enum Done {
    Produced { broker: i32, places: Vec<Place>, answer: Result<Bytes, ConnectionError> },
    Opened { broker: i32, connection: Result<Connection, ConnectionError> },
    Metadata(Result<Metadata, String>),
    Identity(Result<(i64, i16), String>),
}

type Waiting = Pin<Box<dyn Future<Output = Done> + Send>>;

struct Task {
    options: ProduceOptions,
    cluster: Cluster,
    shared: Arc<Shared>,
    reports: Sender<Report>,
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
    generation: u64,
    refreshing: bool,
    refresh_at: Instant,
    in_vain: u32,
    /// When the next open batch has waited long enough.
    linger_until: Option<Instant>,
}

pub(super) async fn run(options: ProduceOptions, shared: Arc<Shared>, reports: Sender<Report>) {
    let cluster = Cluster::new(options.common.bootstrap.clone(), options.common.client.clone());
    let now = Instant::now();
    let mut task = Task {
        options,
        cluster,
        shared: Arc::clone(&shared),
        reports,
        names: Vec::new(),
        unknown: BTreeMap::new(),
        flows: HashMap::new(),
        active: BTreeSet::new(),
        links: HashMap::new(),
        waiting: FuturesUnordered::new(),
        identity: None,
        identifying: false,
        identify_at: now,
        generation: 0,
        refreshing: false,
        refresh_at: now,
        in_vain: 0,
        linger_until: None,
    };
    while !shared.closed.load(SeqCst) {
        let now = Instant::now();
        task.collect(now);
        task.learn_and_identify(now);
        task.send(now);
        let next = task.next_at(now);
        tokio::select! {
            Some(done) = task.waiting.next() => task.take(done),
            () = shared.wake.notified() => {}
            () = sleep_until(next) => {}
        }
    }
}

impl Task {
    /// Takes from the slots what is due.
    fn collect(&mut self, now: Instant) {
        let slots = &mut *self.shared.slots.lock();
        if slots.topics.len() > self.names.len() {
            self.names.extend(slots.topics[self.names.len()..].iter().map(|topic| Arc::clone(&topic.name)));
            self.refresh_at = now;
        }
        self.linger_until = None;
        let Slots { topics, told, .. } = slots;
        let mut left = Vec::new();
        for (topic, place) in told.drain(..) {
            let slot = &mut topics[topic as usize].slots[place as usize];
            let flow = self.flows.entry((topic, place)).or_default();
            slot.full.drain(..).for_each(|pending| flow.push(pending));
            if let Some(open) = &slot.open {
                let due = Instant::from_std(open.since) + self.options.linger;
                let full = open.builder.len() >= self.options.batch_bytes;
                // While something is under way, the batch goes on filling.
                if flow.is_empty() && (full || due <= now) {
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
            let ask = self.cluster.ask(self.names.iter().map(|name| name.to_string()).collect(), true);
            self.waiting.push(Box::pin(async move { Done::Metadata(ask.await) }));
        }
        if self.identity.is_none() && !self.identifying && self.identify_at <= now {
            let Some(address) = self.cluster.any() else { return };
            self.identifying = true;
            let client = self.cluster.client.clone();
            self.waiting.push(Box::pin(async move {
                let ask = async {
                    let connection = Connection::open(&address, &client).await.map_err(|error| error.to_string())?;
                    let body = Bytes::from(api::init_producer_id_request());
                    let answer = connection.call(api::INIT_PRODUCER_ID, vec![body], PATIENCE).await;
                    let answer = api::init_producer_id(&answer.map_err(|error| error.to_string())?);
                    answer.map_err(|error| error.to_string())?.map_err(|code| code.to_string())
                };
                Done::Identity(ask.await)
            }));
        }
    }

    /// Sends the next batch of every partition that has one and nothing under way.
    fn send(&mut self, now: Instant) {
        let Some(identity) = self.identity else { return };
        let mut by_broker: BTreeMap<i32, Vec<Place>> = BTreeMap::new();
        let mut leaderless = false;
        for (topic, partition) in &self.active {
            let Some(flow) = self.flows.get(&(*topic, *partition)) else { continue };
            if flow.under_way || flow.is_empty() || flow.wait_until.is_some_and(|until| until > now) {
                continue;
            }
            match self.cluster.leader(&self.names[*topic as usize], *partition as i32) {
                Some(leader) => by_broker.entry(leader.broker).or_default().push((*topic, *partition)),
                None => leaderless = true,
            }
        }
        if leaderless {
            self.refresh_soon(now);
        }
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
            let client = self.cluster.client.clone();
            self.waiting.push(Box::pin(async move {
                Done::Opened { broker, connection: Connection::open(&address, &client).await }
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
        let (mut taken, mut bytes, mut batches, mut sent) = (0, 0, Vec::new(), Vec::new());
        for place in places {
            if bytes >= REQUEST_BYTES {
                break;
            }
            taken += 1;
            let Some(flow) = self.flows.get_mut(place) else { continue };
            match flow.start(identity, self.options.codec) {
                Ok(Some((batch, spare))) => {
                    bytes += batch.len();
                    batches.push(batch);
                    sent.push(*place);
                    spare.into_iter().for_each(|spare| keep(&self.shared, spare));
                }
                Ok(None) => {}
                Err(error) => {
                    let reason = Failure::Configuration(error.to_string());
                    let opaques = flow.give_up();
                    self.report(opaques, Err(reason));
                }
            }
        }
        let Some(link) = self.links.get_mut(&broker) else { return taken };
        let (Some(connection), false) = (link.connection.clone(), sent.is_empty()) else { return taken };
        link.requests += 1;
        let heads: Vec<(&str, i32, usize)> = sent
            .iter()
            .zip(&batches)
            .map(|((topic, partition), batch)| (&*self.names[*topic as usize], *partition as i32, batch.len()))
            .collect();
        let patience = self.options.patience;
        let timeout = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        let pieces = api::produce_request(timeout, &heads);
        let parts = pieces.into_iter().zip(batches).flat_map(|(head, batch)| [Bytes::from(head), batch]).collect();
        // The broker itself waits as long for its followers.
        let patience = patience.saturating_mul(2);
        self.waiting.push(Box::pin(async move {
            let answer = connection.call(api::PRODUCE, parts, patience).await;
            Done::Produced { broker, places: sent, answer }
        }));
        taken
    }

    fn next_at(&self, now: Instant) -> Instant {
        let waits = self.active.iter().filter_map(|place| {
            let flow = self.flows.get(place)?;
            flow.wait_until.filter(|until| !flow.under_way && *until > now)
        });
        let links = self.links.values().filter_map(|link| link.wait_until).filter(|until| *until > now);
        let refresh = (!self.refreshing && !self.names.is_empty()).then_some(self.refresh_at);
        let identify = (self.identity.is_none() && !self.identifying).then_some(self.identify_at);
        let all = waits.chain(links).chain(refresh).chain(identify).chain(self.linger_until);
        all.min().unwrap_or(now + REFRESH).min(now + REFRESH)
    }

    fn pause(&self, attempts: u32) -> Duration {
        let common = &self.options.common;
        common.backoff.saturating_mul(1 << attempts.min(10)).min(common.backoff_max)
    }

    fn refresh_soon(&mut self, now: Instant) {
        let at = now + self.pause(self.in_vain);
        self.refresh_at = self.refresh_at.min(at);
    }

    fn report(&self, opaques: Vec<u64>, outcome: Result<(), Failure>) {
        if !opaques.is_empty() {
            // A lane that is gone has no use for it.
            self.reports.send(Report { opaques, outcome }).ok();
        }
    }

    fn take(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Metadata(Ok(metadata)) => self.learn(&metadata, now),
            Done::Metadata(Err(reason)) => {
                self.refreshing = false;
                if self.in_vain.is_multiple_of(20) {
                    tracing::warn!(reason, "no broker tells who leads");
                }
                self.in_vain += 1;
                self.refresh_at = now + self.pause(self.in_vain);
            }
            Done::Identity(Ok((producer, epoch))) => {
                self.generation += 1;
                self.identifying = false;
                self.identity = Some(Identity { producer, epoch, generation: self.generation });
            }
            Done::Identity(Err(reason)) => {
                tracing::debug!(reason, "no producer id yet");
                self.identifying = false;
                self.identify_at = now + self.options.common.backoff_max;
            }
            Done::Opened { broker, connection } => {
                let pause = self.options.common.backoff_max;
                let link = self.links.entry(broker).or_default();
                link.opening = false;
                match connection {
                    Ok(connection) => (link.connection, link.wait_until) = (Some(connection), None),
                    Err(ConnectionError::Unfit { host, port, reason }) => {
                        link.wait_until = Some(now + pause);
                        let reason = format!("broker {host}:{port}: {reason}; `client: librdkafka` can write to it");
                        self.fail_all(&Failure::Configuration(reason));
                    }
                    Err(error) => {
                        tracing::debug!(broker, %error, "no connection");
                        link.wait_until = Some(now + pause);
                        self.refresh_soon(now);
                    }
                }
            }
            Done::Produced { broker, places, answer } => {
                if let Some(link) = self.links.get_mut(&broker) {
                    link.requests = link.requests.saturating_sub(1);
                }
                let answer = answer.map_err(|error| error.to_string());
                match answer.and_then(|answer| api::produce(&answer).map_err(|error| error.to_string())) {
                    Ok(produced) => self.settle(places, &produced, now),
                    Err(reason) => {
                        tracing::debug!(broker, reason, "produce");
                        if let Some(link) = self.links.get_mut(&broker) {
                            link.connection = None;
                        }
                        places.iter().for_each(|place| self.again(*place, now));
                    }
                }
            }
        }
    }

    /// The batch is to be sent again, maybe to another leader.
    fn again(&mut self, place: Place, now: Instant) {
        let pause = self.flows.get(&place).map_or(Duration::ZERO, |flow| self.pause(flow.attempts));
        if let Some(flow) = self.flows.get_mut(&place) {
            flow.again(now + pause);
        }
        self.refresh_soon(now);
    }

    fn settle(&mut self, places: Vec<Place>, produced: &[api::Produced], now: Instant) {
        let found: HashMap<(&str, i32), &api::Produced> =
            produced.iter().map(|one| ((one.topic.as_str(), one.partition), one)).collect();
        for place in places {
            let name = &*self.names[place.0 as usize];
            match found.get(&(name, place.1 as i32)) {
                Some(produced) => self.settle_one(place, produced, now),
                // Not spoken of: as if it had not been answered.
                None => self.again(place, now),
            }
            let Some(flow) = self.flows.get(&place) else { continue };
            if flow.is_empty() {
                self.active.remove(&place);
            }
            // Its slot may hold a batch that filled meanwhile, and is still told of.
        }
    }

    fn settle_one(&mut self, place: Place, produced: &api::Produced, now: Instant) {
        let Some(flow) = self.flows.get_mut(&place) else { return };
        let (code, text) = (produced.code, produced.message.as_deref());
        match code {
            Code::NONE | Code::DUPLICATE_SEQUENCE => {
                if let Some((opaques, memory)) = flow.arrived() {
                    memory.into_iter().for_each(|memory| keep(&self.shared, memory));
                    self.report(opaques, Ok(()));
                }
                return;
            }
            Code::OUT_OF_ORDER_SEQUENCE | Code::UNKNOWN_PRODUCER_ID | Code::INVALID_PRODUCER_EPOCH => {
                // The brokers know this producer no more, for instance since retention took its records (KIP-360). Whether
                // the batch had arrived before cannot be known then: it is sent again.
                tracing::warn!(topic = produced.topic, partition = produced.partition, %code, "the sequence is lost, another begins");
                flow.lost_sequence(now);
                self.identity = None;
                self.identify_at = now;
                return;
            }
            _ => {}
        }
        match kafka::judge(code.0, text) {
            Failure::Record(_) if flow.records() > 1 => {
                if let Err(error) = flow.halve() {
                    let opaques = flow.give_up();
                    self.report(opaques, Err(Failure::Transient(error.to_string())));
                }
            }
            failure @ Failure::Record(_) => {
                let opaques = flow.refused().unwrap_or_default();
                self.report(opaques, Err(failure));
            }
            // It is the broker's to know topics; metadata says when it never will.
            Failure::Configuration(_) if code == Code::UNKNOWN_TOPIC_OR_PARTITION => self.again(place, now),
            failure @ Failure::Configuration(_) => {
                let opaques = flow.give_up();
                self.report(opaques, Err(failure));
            }
            Failure::Transient(reason) => {
                tracing::debug!(topic = produced.topic, partition = produced.partition, reason, "produce");
                self.again(place, now);
            }
        }
    }

    fn learn(&mut self, metadata: &Metadata, now: Instant) {
        self.refreshing = false;
        self.cluster.learn(metadata);
        let mut failed: Vec<(u32, Failure)> = Vec::new();
        let mut complete = true;
        let mut slots = self.shared.slots.lock();
        for (index, name) in self.names.iter().enumerate() {
            let Some(topic) = metadata.topics.iter().find(|topic| *topic.name == **name) else { continue };
            let index = index as u32;
            if topic.code.is_none() && !topic.leaders.is_empty() {
                self.unknown.remove(&index);
                complete &= topic.leaders.iter().all(|leader| leader.broker >= 0);
                let shared = &mut slots.topics[index as usize];
                // Partitions are only ever added.
                let count = topic.leaders.len().max(shared.slots.len());
                shared.slots.resize_with(count, Default::default);
                shared.partitions = Some(count);
                continue;
            }
            complete = false;
            let since = *self.unknown.entry(index).or_insert(now);
            match kafka::judge(topic.code.0, None) {
                Failure::Configuration(reason)
                    if topic.code != Code::UNKNOWN_TOPIC_OR_PARTITION || now - since > self.options.unknown_max =>
                {
                    failed.push((index, Failure::Configuration(format!("topic `{name}`: {reason}"))));
                }
                _ => {}
            }
        }
        for (topic, failure) in &failed {
            slots.topics[*topic as usize].failed = Some(failure.clone());
        }
        drop(slots);
        self.shared.learnt.fetch_add(1, SeqCst);
        for (topic, failure) in failed {
            let places: Vec<Place> = self.flows.keys().filter(|place| place.0 == topic).copied().collect();
            for place in places {
                let opaques = self.flows.get_mut(&place).map(Flow::give_up).unwrap_or_default();
                self.report(opaques, Err(failure.clone()));
            }
        }
        self.in_vain = if complete { 0 } else { self.in_vain + 1 };
        self.refresh_at = now + if complete { REFRESH } else { self.pause(self.in_vain) };
    }

    fn fail_all(&mut self, failure: &Failure) {
        self.shared.slots.lock().topics.iter_mut().for_each(|topic| topic.failed = Some(failure.clone()));
        self.shared.learnt.fetch_add(1, SeqCst);
        let all: Vec<Vec<u64>> = self.flows.values_mut().map(Flow::give_up).collect();
        all.into_iter().for_each(|opaques| self.report(opaques, Err(failure.clone())));
    }
}

fn keep(shared: &Shared, memory: Vec<u8>) {
    let spare = &mut shared.slots.lock().spare;
    if spare.len() < SPARE {
        spare.push(memory);
    }
}
