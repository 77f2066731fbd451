//! What the brokers' answers mean for the batches under way.

use std::collections::{BTreeSet, HashMap};

use tokio::time::Instant;

use super::{Done, Identity, Place, REFRESH, Task, keep, learnt};
use crate::{
    direct::{
        api::{self, Code, Metadata},
        connection::{Connection, ConnectionError},
        produce::DirectContact,
    },
    kafka::{self, Failure},
};

/// Times that a batch is sent again which a broker finds damaged.
const DAMAGED_MAX: u32 = 3;

impl Task {
    pub(super) fn take(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Metadata { asked, answer } => {
                self.refreshing = false;
                match answer {
                    Ok(metadata) => self.learn(&asked, &metadata, now),
                    Err(error) => {
                        self.wanted.extend(asked);
                        self.in_vain += 1;
                        self.refresh_at = now + self.pause(self.in_vain);
                        self.not_reached(&error);
                    }
                }
            }
            Done::Identity(Ok((producer, epoch))) => {
                self.generation += 1;
                (self.identifying, self.unidentified) = (false, 0);
                self.identity = Some(Identity { producer, epoch, generation: self.generation, transactional: false });
            }
            Done::Identity(Err((code, reason))) => {
                self.identifying = false;
                let reason = format!("no producer id: {reason}");
                if let Some(Failure::Configuration(_)) = code.map(|code| kafka::judge(code.0, None)) {
                    return self.refuse(&Failure::Configuration(reason));
                }
                if self.unidentified % 20 == 1 {
                    tracing::warn!(reason, "nothing can be sent yet");
                }
                self.identify_at = now + self.pause(self.unidentified);
                self.unidentified += 1;
                self.shared.news.lock().trouble = Some(reason);
            }
            Done::Added(outcome) => self.added(outcome),
            Done::Opened { broker, connection } => self.opened(broker, connection, now),
            Done::Produced { broker, sent, answer } => {
                if let Some(link) = self.links.get_mut(&broker) {
                    link.requests = link.requests.saturating_sub(1);
                }
                // Of what was given up meanwhile, nobody asks any more.
                let asked = |(place, turn): &(Place, u64)| {
                    self.flows.get(place).is_some_and(|flow| flow.under_way && flow.turn == *turn)
                };
                let places: Vec<Place> = sent.into_iter().filter(asked).map(|(place, _)| place).collect();
                let answer = answer.map_err(|error| error.to_string());
                match answer.and_then(|answer| api::produce(&answer).map_err(|error| error.to_string())) {
                    Ok(produced) => self.settle(places, &produced, now),
                    Err(reason) => {
                        if let Some(link) = self.links.get_mut(&broker) {
                            link.connection = None;
                        }
                        places.iter().for_each(|place| self.again(*place, now, &reason));
                    }
                }
            }
        }
    }

    fn opened(&mut self, broker: i32, connection: Result<Connection, ConnectionError>, now: Instant) {
        let failures = self.links.get(&broker).map_or(0, |link| link.failures);
        let pause = self.pause(failures);
        let link = self.links.entry(broker).or_default();
        link.opening = false;
        match connection {
            Ok(connection) => (link.connection, link.wait_until, link.failures) = (Some(connection), None, 0),
            Err(error) => {
                tracing::debug!(broker, %error, "no connection");
                (link.wait_until, link.failures) = (Some(now + pause), failures.saturating_add(1));
                // Maybe others lead by now what it led.
                let topics: BTreeSet<u32> = self.active.iter().map(|(topic, _)| *topic).collect();
                topics.into_iter().for_each(|topic| self.want(topic, now));
                self.not_reached(&error);
            }
        }
    }

    /// The batch is to be sent again, maybe to another leader.
    fn again(&mut self, place: Place, now: Instant, why: &str) {
        let attempts = self.flows.get(&place).map_or(0, |flow| flow.attempts);
        let pause = self.pause(attempts);
        if let Some(flow) = self.flows.get_mut(&place) {
            flow.again(now + pause);
        }
        let topic = &self.names[place.0 as usize];
        if attempts % 50 == 5 {
            tracing::warn!(topic = &**topic, partition = place.1, attempts, why, "a batch is sent again and again");
        } else {
            tracing::debug!(topic = &**topic, partition = place.1, why, "a batch is sent again");
        }
        self.shared.news.lock().trouble = Some(format!("{topic}[{}]: {why}", place.1));
        self.want(place.0, now);
    }

    fn settle(&mut self, places: Vec<Place>, produced: &[api::Produced], now: Instant) {
        let found: HashMap<(&str, i32), &api::Produced> =
            produced.iter().map(|one| ((one.topic.as_str(), one.partition), one)).collect();
        for place in places {
            let name = &*self.names[place.0 as usize];
            match found.get(&(name, place.1 as i32)) {
                Some(produced) => self.settle_one(place, produced, now),
                // Not spoken of: as if it had not been answered.
                None => self.again(place, now, "the broker did not speak of it"),
            }
            // Its slot may hold a batch that filled meanwhile, and is still told of.
            if self.flows.get(&place).is_some_and(|flow| flow.is_empty()) {
                self.active.remove(&place);
            }
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
            // It cannot be put right from here: the lane starts over, and the next producer ends the transaction.
            _ if self.adding.is_some() && code.ends_transaction() => {
                let reason = format!("{}[{}]: {code}", produced.topic, produced.partition);
                return self.refuse(&match kafka::needs_a_person(code.0) {
                    true => Failure::Configuration(reason),
                    false => Failure::Transient(reason),
                });
            }
            Code::OUT_OF_ORDER_SEQUENCE | Code::UNKNOWN_PRODUCER_ID | Code::INVALID_PRODUCER_EPOCH => {
                // The brokers know this producer no more, for instance since retention took its records (KIP-360). Whether
                // the batch had arrived before cannot be known then: it is sent again.
                tracing::warn!(topic = produced.topic, partition = produced.partition, %code, "the sequence is lost, another begins");
                flow.lost_sequence();
                self.bump(now);
                if code == Code::INVALID_PRODUCER_EPOCH {
                    self.identity = None;
                }
                return self.again(place, now, &code.to_string());
            }
            // Damaged on its way, most likely.
            Code::CORRUPT_MESSAGE if flow.attempts < DAMAGED_MAX => {
                return self.again(place, now, &code.to_string());
            }
            _ => {}
        }
        match kafka::judge(code.0, text) {
            failure @ Failure::Record(_) => {
                // What was tried before may have arrived, and its place in the sequence is then not free.
                let tried = flow.attempts > 0;
                if tried && self.adding.is_some() && flow.records() > 1 {
                    // Which record it is, is found in the next transaction.
                    return self.refuse(&Failure::Transient(failure.reason().to_owned()));
                }
                let opaques = if flow.records() > 1 {
                    if let Err(error) = flow.halve() {
                        let reason = format!("{}; it cannot be halved: {error}", failure.reason());
                        return self.give_up(place, &Failure::Transient(reason));
                    }
                    Vec::new()
                } else {
                    flow.refused().unwrap_or_default()
                };
                if tried || (self.adding.is_some() && !opaques.is_empty()) {
                    self.bump(now);
                }
                self.report(opaques, Err(failure));
            }
            // It is the broker's to know topics; metadata says when it never will.
            Failure::Configuration(_) if code == Code::UNKNOWN_TOPIC_OR_PARTITION => {
                self.again(place, now, &code.to_string());
            }
            failure @ Failure::Configuration(_) => self.give_up(place, &failure),
            Failure::Transient(reason) => self.again(place, now, &reason),
        }
    }

    fn learn(&mut self, asked: &BTreeSet<u32>, metadata: &Metadata, now: Instant) {
        self.cluster.learn(metadata);
        let by_name: HashMap<&str, &api::Topic> =
            metadata.topics.iter().map(|topic| (topic.name.as_str(), topic)).collect();
        let mut failed: Vec<(u32, Failure)> = Vec::new();
        let mut open = false;
        let shared = std::sync::Arc::clone(&self.shared);
        let mut slots = shared.slots.lock();
        for index in asked.iter().copied() {
            let name = &self.names[index as usize];
            let Some(topic) = by_name.get(&**name) else { continue };
            let known = slots.topics[index as usize].slots.len();
            let is_less = topic.leaders.len() < known;
            if topic.code.is_none() && !topic.leaders.is_empty() && !is_less {
                self.unknown.remove(&index);
                if topic.leaders.iter().any(|leader| leader.broker < 0) {
                    open = true;
                    self.wanted.insert(index);
                }
                let shared = &mut slots.topics[index as usize];
                let count = topic.leaders.len();
                shared.slots.resize_with(count, Default::default);
                shared.partitions = Some(count);
                continue;
            }
            // There may be brokers that do not know it, or not all of it, yet.
            let since = *self.unknown.entry(index).or_insert(now);
            let is_late = now - since > self.options.unknown_max;
            match kafka::judge(topic.code.0, None) {
                Failure::Configuration(reason) if topic.code != Code::UNKNOWN_TOPIC_OR_PARTITION || is_late => {
                    failed.push((index, Failure::Configuration(format!("topic `{name}`: {reason}"))));
                }
                _ if is_less && is_late && topic.code.is_none() => {
                    let count = topic.leaders.len();
                    let reason = format!("topic `{name}` has {count} partitions, and had {known} before");
                    failed.push((index, Failure::Configuration(reason)));
                }
                _ => {
                    open = true;
                    self.wanted.insert(index);
                }
            }
        }
        for (topic, failure) in &failed {
            slots.topics[*topic as usize].failed = Some(failure.clone());
        }
        drop(slots);
        for (topic, failure) in failed {
            let places: Vec<Place> = self.flows.keys().filter(|place| place.0 == topic).copied().collect();
            places.into_iter().for_each(|place| self.give_up(place, &failure));
        }
        learnt(&shared);
        if let Some(adding) = &self.adding {
            *adding.transactor.brokers.lock() = self.cluster.addresses();
        }
        *shared.contact.lock() = DirectContact::Made;
        self.links.retain(|broker, _| self.cluster.knows(*broker));
        self.in_vain = if open { self.in_vain + 1 } else { 0 };
        self.refresh_at = now + if self.wanted.is_empty() { REFRESH } else { self.pause(self.in_vain) };
    }

    /// A broker was not reached, or is one that only librdkafka can speak to.
    fn not_reached(&mut self, error: &ConnectionError) {
        let reason = error.to_string();
        if let ConnectionError::Unfit { .. } = error {
            self.unfit.note();
            *self.shared.contact.lock() = DirectContact::Unfit(reason.clone());
            // The lane starts over.
            return self.refuse(&Failure::Transient(reason));
        }
        if self.in_vain % 20 == 1 {
            tracing::warn!(reason, "a broker is not reached");
        }
        let mut contact = self.shared.contact.lock();
        if let DirectContact::Waits(_) = *contact {
            *contact = DirectContact::Waits(Some(reason));
        }
    }

    /// Nothing can be sent at all.
    pub(super) fn refuse(&mut self, failure: &Failure) {
        if let Some(adding) = &self.adding {
            adding.transactor.spoil(failure.reason());
        }
        self.refused = Some(failure.clone());
        self.shared.slots.lock().topics.iter_mut().for_each(|topic| topic.failed = Some(failure.clone()));
        learnt(&self.shared);
        let places: Vec<Place> = self.flows.keys().copied().collect();
        places.into_iter().for_each(|place| self.give_up(place, failure));
    }
}
