//! What sinks that speak to a server share: workers that send, wait and send again, so that the lane never does.
//!
//! A partition always has the same worker, and a worker has one request under way. A request takes what has gathered,
//! up to its limits: small at low load and large at high load, without a timer. Whatever the server did not take stays
//! at the head of the request and is sent again, together with all later records that touch the same thing: what was
//! sent last is what stays. So order per partition, hence per key of a partition, survives every retry.
//!
//! A worker retries for ever. It ends when its sink is dropped, at once, or when its server says that a person has to
//! look. A request that is cut off by the first may still be carried out, also after what the next sink sends: where
//! that matters, records carry versions.

use std::{
    collections::{HashSet, VecDeque},
    future::Future,
    mem,
    sync::Arc,
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    Contact, SinkStats,
    delivery::{Delivery, Desk},
};

/// What a request may hold. One record is always taken, however large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestLimits {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// Smaller than any server's limit; a request that is refused as too large even so is halved by records alone.
const LEARNED_BYTES_MIN: usize = 64 << 10;

/// Longest pause between two greetings: nothing but one small request hangs on them.
const GREETING_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Pauses between the attempts of one request: full jitter over a doubling span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pauses {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { from: Duration::from_millis(100), to: Duration::from_secs(30) }
    }
}

impl Pauses {
    /// Before attempt `attempt + 1`; `chance` in 0..1 spreads it, so that workers that failed together do not come
    /// back together. Not shorter than what the server asks for, within reason.
    fn before(self, attempt: u32, chance: f64, asked: Option<Duration>) -> Duration {
        let span = self.from.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(self.to);
        span.mul_f64(chance.clamp(0.0, 1.0)).max(asked.unwrap_or_default().min(self.to))
    }
}

/// What became of one record of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Delivered,
    /// The same or something newer was there.
    Ignored,
    /// Transient.
    Again(String),
    /// No retry will help this record.
    Poison(String),
    /// A person has to look.
    Stop(String),
}

/// What a server answered to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// For each record, in order.
    Verdicts(Vec<Verdict>),
    /// Nothing is known of any record: send it all again, not before the time that the server asks for.
    Again { reason: String, pause: Option<Duration> },
    /// Refused as a whole because of something in it: send less at a time, until the culprit stands alone.
    Split { reason: String, too_large: bool },
    /// A person has to look.
    Stop(String),
}

/// Speaks to a server. Each worker has its own.
pub(super) trait Client: Send + 'static {
    /// Asks the server for something that anybody may have, to see whether it is there and knows who asks.
    fn greet(&mut self) -> impl Future<Output = Contact> + Send;

    /// Sends a request once. Called within the runtime; never for nothing.
    fn send(&mut self, request: Request<'_>) -> impl Future<Output = Answer> + Send;
}

/// A record of a request: which delivery, which item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pick {
    delivery: usize,
    item: usize,
}

/// Deliveries that a worker has in hand. One that is settled leaves a gap until the request is through.
type Held = VecDeque<Option<Delivery>>;

/// Encoded records to be sent, in order.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    held: &'a Held,
    picks: &'a [Pick],
}

impl<'a> Request<'a> {
    pub(super) fn len(&self) -> usize {
        self.picks.len()
    }

    /// Bytes of all records.
    pub(super) fn size(&self) -> usize {
        self.picks.iter().map(|pick| size(self.held, *pick)).sum()
    }

    /// Bytes and tag of each record.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a [u8], u8)> + use<'a> {
        let Self { held, picks } = *self;
        picks.iter().filter_map(|pick| {
            let payload = &held.get(pick.delivery)?.as_ref()?.payload;
            Some((payload.bytes(pick.item), payload.tag(pick.item)))
        })
    }
}

fn size(held: &Held, pick: Pick) -> usize {
    held.get(pick.delivery).and_then(Option::as_ref).map_or(0, |delivery| delivery.payload.size(pick.item))
}

pub(super) struct Worker<C> {
    pub(super) client: C,
    pub(super) queue: mpsc::Receiver<Delivery>,
    pub(super) desk: Arc<Desk>,
    pub(super) limits: RequestLimits,
    pub(super) pauses: Pauses,
    /// It is the one of its sink that finds out whether the server can be reached, before it does anything else.
    pub(super) greets: bool,
    held: Held,
    /// Items of the first delivery in hand that earlier requests have dealt with.
    dealt_with: usize,
}

impl<C: Client> Worker<C> {
    pub(super) fn new(client: C, queue: mpsc::Receiver<Delivery>, desk: Arc<Desk>, limits: RequestLimits) -> Self {
        Self { client, queue, desk, limits, pauses: Pauses::default(), greets: false, held: Held::new(), dealt_with: 0 }
    }

    /// Until the sink is dropped or a person has to look.
    pub(super) async fn run(mut self) {
        if self.greets {
            self.greet().await;
        }
        while let Some(request) = self.gather().await {
            if let Err(reason) = self.perform(request).await {
                tracing::error!(sink = self.desk.name(), reason, "sink failed");
                self.desk.stats.note_error(&reason);
                self.held.drain(..).flatten().for_each(|delivery| delivery.fail(&reason));
                return;
            }
        }
    }

    /// Until the server was reached, or refuses.
    async fn greet(&mut self) {
        let mut attempt = 0;
        loop {
            let contact = match self.client.greet().await {
                Contact::Made => Contact::Made,
                Contact::Waits(reason) => Contact::Waits(reason.map(|reason| self.desk.say(&reason))),
                Contact::Over(reason) => Contact::Over(self.desk.say(&reason)),
                Contact::Failed(reason) => Contact::Failed(self.desk.say(&reason)),
            };
            if let Contact::Waits(Some(reason)) | Contact::Failed(reason) = &contact {
                self.desk.stats.note_error(reason);
            }
            let waits = matches!(contact, Contact::Waits(_));
            self.desk.note_contact(contact);
            if !waits {
                return;
            }
            let pause = self.pauses.before(attempt, rand::random(), None).min(GREETING_PAUSE_MAX);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// The records of the next request: at least one, unless the sink is gone.
    async fn gather(&mut self) -> Option<Vec<Pick>> {
        let (mut picks, mut bytes) = (Vec::new(), 0);
        let (mut delivery, mut item) = (0, self.dealt_with);
        loop {
            let Some(in_hand) = self.held.get(delivery) else {
                let next = if picks.is_empty() { self.queue.recv().await } else { self.queue.try_recv().ok() };
                match next {
                    Some(next) => self.held.push_back(Some(next)),
                    None => break,
                }
                continue;
            };
            let Some(payload) = in_hand.as_ref().map(|in_hand| &in_hand.payload).filter(|it| item < it.len()) else {
                (delivery, item) = (delivery + 1, 0);
                continue;
            };
            bytes += payload.size(item);
            if !picks.is_empty() && (bytes > self.limits.bytes || picks.len() == self.limits.records) {
                break;
            }
            picks.push(Pick { delivery, item });
            item += 1;
        }
        (!picks.is_empty()).then_some(picks)
    }

    /// Sends until every record has come to its end.
    async fn perform(&mut self, mut todo: Vec<Pick>) -> Result<(), String> {
        let last = todo.last().copied();
        let (mut attempt, mut most) = (0, usize::MAX);
        while !todo.is_empty() {
            let count = self.fitting(&todo, most);
            let request = Request { held: &self.held, picks: &todo[..count] };
            let size = request.size();
            let answer = self.client.send(request).await;
            SinkStats::add(&self.desk.stats.requests, 1);
            SinkStats::add(&self.desk.stats.bytes, size);
            let repeat = match answer {
                Answer::Stop(reason) => return Err(reason),
                Answer::Again { reason, pause } => Some((count, reason, pause)),
                Answer::Split { reason, .. } if count == 1 => {
                    self.reject(todo.remove(0), &reason);
                    None
                }
                Answer::Split { reason, too_large } => {
                    self.desk.stats.note_error(&reason);
                    if too_large {
                        self.limits.bytes = self.limits.bytes.min((size / 2).max(LEARNED_BYTES_MIN));
                    }
                    most = count / 2;
                    None
                }
                Answer::Verdicts(verdicts) => {
                    most = most.saturating_mul(2);
                    self.account(&mut todo, count, verdicts)?.map(|(records, reason)| (records, reason, None))
                }
            };
            if let Some((records, reason, asked)) = repeat {
                SinkStats::add(&self.desk.stats.retried, records);
                let pause = self.pause(attempt, &reason, asked);
                tokio::time::sleep(pause).await;
                attempt += 1;
            }
        }
        self.finish(last);
        Ok(())
    }

    /// How many of the first records a request takes.
    fn fitting(&self, todo: &[Pick], most: usize) -> usize {
        let mut bytes = 0;
        let fits = |pick: &&Pick| {
            bytes += size(&self.held, **pick);
            bytes <= self.limits.bytes
        };
        todo.iter().take(most.min(self.limits.records)).take_while(fits).count().max(1)
    }

    /// Takes those of the first `count` records out that came to their end; answers how many of them are to be sent
    /// again, and why.
    fn account(
        &mut self,
        todo: &mut Vec<Pick>,
        count: usize,
        verdicts: Vec<Verdict>,
    ) -> Result<Option<(usize, String)>, String> {
        let unsent = todo.split_off(count);
        let missing = || Verdict::Again("the server did not answer for every record".into());
        let verdicts = verdicts.into_iter().chain(std::iter::repeat_with(missing));
        let (mut again, mut stop, mut overtaken) = (None, None, HashSet::new());
        for (pick, verdict) in mem::take(todo).into_iter().zip(verdicts) {
            let Some(Some(delivery)) = self.held.get_mut(pick.delivery) else { continue };
            let order = delivery.payload.order(pick.item);
            match verdict {
                Verdict::Poison(reason) => delivery.reject(pick.item, &reason),
                Verdict::Stop(reason) => stop = stop.or(Some(reason)),
                Verdict::Again(reason) => {
                    overtaken.insert(order);
                    again = again.or(Some(reason));
                    todo.push(pick);
                }
                // It overtook a record of the same thing: once more, behind that one.
                Verdict::Delivered | Verdict::Ignored if overtaken.contains(&order) => todo.push(pick),
                Verdict::Delivered => delivery.delivered(),
                Verdict::Ignored => {
                    SinkStats::add(&self.desk.stats.ignored, 1);
                    delivery.delivered();
                }
            }
        }
        let again = again.map(|reason| (todo.len(), reason));
        todo.extend(unsent);
        self.settle();
        stop.map_or(Ok(again), Err)
    }

    fn reject(&mut self, pick: Pick, reason: &str) {
        if let Some(Some(delivery)) = self.held.get_mut(pick.delivery) {
            delivery.reject(pick.item, reason);
        }
        self.settle();
    }

    /// Lets go of deliveries that have come to their end: that settles them.
    fn settle(&mut self) {
        for delivery in &mut self.held {
            delivery.take_if(|delivery| !delivery.is_open());
        }
    }

    /// The request is through: `last` was its last record, the next begins behind it.
    fn finish(&mut self, last: Option<Pick>) {
        let Some(last) = last else { return };
        self.held.drain(..last.delivery);
        self.dealt_with = last.item + 1;
        if let Some(None) = self.held.front() {
            self.held.pop_front();
            self.dealt_with = 0;
        }
    }

    /// How long to wait before the next attempt.
    fn pause(&self, attempt: u32, reason: &str, asked: Option<Duration>) -> Duration {
        let pause = self.pauses.before(attempt, rand::random(), asked);
        // A server that is away for hours is not told of a thousand times.
        if attempt == 0 || attempt.is_power_of_two() {
            tracing::warn!(sink = self.desk.name(), attempt, reason, ?pause, "request failed, will be repeated");
        }
        self.desk.stats.note_error(reason);
        pause
    }
}

#[cfg(test)]
mod tests;
